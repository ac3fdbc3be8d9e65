"""Passes: functions from loop programs to better ones, one a file; `codegen.pipeline` lists them in order."""
