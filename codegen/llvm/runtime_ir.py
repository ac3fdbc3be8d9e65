"""The runtime inside every compiled library: threads that wait for work, a barrier, the loop over batches.

Exported functions (all memory is the caller's; nothing is allocated):

    void sn_init(ptr sync)                                  prepare a sync area of SYNC_BYTES, 64-byte aligned
    void sn_worker(ptr sync, i64 tid)                       be worker `tid` (1, 2, …); returns after sn_stop
    i32  sn_run(ptr sync, ptr entry, ptr table, i64 n)      run an entry on n threads: this one and workers 1 to n-1
    void sn_stop(ptr sync)                                  let all workers return; sn_init before starting new ones
    i32  sn_epoch(ptr sync, ptr args, i64 n)                run an entry batch after batch (see EPOCH_SLOTS)
    i32  sn_again(ptr args)                                 run an entry on arrays of Python (see AGAIN_SLOTS)

An entry is `i32 entry(ptr table, i64 tid, i64 n)`; every thread calls it and gets the same result. One caller at a
time uses a sync area. A worker spins for some microseconds before it sleeps, a barrier spins before it yields, so more
threads than processors are slow but never stuck.

`sn_epoch` gives each thread its own copy of the table. When the order is a permutation, the rows of a batch are
gathered into a staging buffer, else the table points into the data itself. Threads meet once in each batch. It stops at
the first batch whose entry does not return 0, and returns that.
"""

from __future__ import annotations

from collections.abc import Mapping

from codegen.llvm.builder import FunctionText

SYNC_BYTES = 1024
SYNC_OFFSETS = {
    # each on a cache line of its own, as different threads write them
    "job": 0,  # i64: number of the job << 16 | threads that take part
    "entry": 64,
    "table": 72,
    "arrived": 128,  # i32: threads at the barrier
    "phase": 192,  # i32: how many times the barrier opened
    "done": 256,  # i32: workers that finished the job
    "status": 320,  # i32: 0, or 1 + code of a failed check
    "sleepers": 384,  # i32: workers that must be woken
    "stop": 448,  # i32
    "mutex": 512,
    "wake": 640,
}

EPOCH_SLOTS = {
    # argument block of sn_epoch: 8-byte slots
    "sync": 0,  # pointer to the sync area
    "entry": 1,  # pointer to the entry's function
    "table": 2,  # pointer to a table with everything filled in but what changes from batch to batch
    "slots": 3,  # number of slots of the table
    "rows": 4,  # rows of the data
    "batch": 5,  # rows of a batch; the last batch has what is left
    "first": 6,  # the first batch to run
    "last": 7,  # run batches first, first+1, …, last-1
    "dim_slot": 8,  # table slot of the named batch dimension, or -1
    "order": 9,  # pointer to `rows` int64 row numbers, or 0: rows in order
    "arrays": 10,  # number of data arrays, described from slot ARRAYS on
    "records": 11,  # number of values to keep from each batch, described after the arrays
    "reached": 12,  # out: the batch that failed, or `last`
    "apart": 13,  # whether the kept values are not all written by the first thread, which keeps them
}
ARRAYS = 16
ARRAY_SLOTS = ("base", "row_bytes", "table_slot", "staging")
"""One data array: its first row, bytes of a row, the table slot of the input, a staging buffer of twice the rows of a
batch: the rows of the next one are gathered before threads meet at the end of a batch, which is then enough."""
RECORD_SLOTS = ("source", "bytes", "target", "kind")
"""One kept value: where the entry leaves it, its bytes, where to keep it, and how (RECORD_KINDS).

"each" copies the bytes to target + batch number * bytes; the others add rows * value to the float64 at target."""
RECORD_KINDS = {"each": 0, "sum_float32": 1, "sum_float64": 2}

AGAIN_SLOTS = {
    # argument block of sn_again: 8-byte slots
    "sync": 0,  # as in EPOCH_SLOTS
    "entry": 1,
    "table": 2,
    "threads": 3,
    "arrays": 4,  # number of arrays; from slot AGAIN_OBJECTS on the place of the object of each
}
AGAIN_OBJECTS = 5
AGAIN_WANTED = ("table_slot", "type", "descr", "rank")
"""After the places of the objects, what each has to be: a slot of the table, NumPy's array type, a dtype object, the
number of axes and their lengths. An array that is not, or whose elements do not follow each other, makes sn_again
return `NOT_AS_BEFORE` before anything has happened."""
NOT_AS_BEFORE = -1
OBJECT_TYPE, ARRAY_DATA, ARRAY_RANK, ARRAY_EXTENTS, ARRAY_DESCR, ARRAY_FLAGS = 8, 16, 24, 32, 56, 64
"""Where the parts of NumPy's array object are, in bytes (`symnet.runtime.arrays` looks whether they are there)."""

SPINS_BEFORE_SLEEP = 4000
SPINS_BEFORE_YIELD = 1000


BARRIER = "declare hidden void @sn.barrier(ptr, i64)"
"""What declares the barrier in other modules."""


def runtime_text(triple: str) -> str:
    """The functions above and the barrier `@sn.barrier(ptr sync, i64 n)` as LLVM text."""
    parts = [
        "declare i32 @sched_yield()",
        "declare i32 @pthread_mutex_init(ptr, ptr)",
        "declare i32 @pthread_mutex_lock(ptr)",
        "declare i32 @pthread_mutex_unlock(ptr)",
        "declare i32 @pthread_cond_init(ptr, ptr)",
        "declare i32 @pthread_cond_wait(ptr, ptr)",
        "declare i32 @pthread_cond_broadcast(ptr)",
        "",
        _pause(triple),
        _wait(),
        _barrier(),
        _init(),
        _worker(),
        _run(),
        _stop(),
        _epoch_body(),
        _epoch(),
        _again(),
    ]
    return "\n".join(parts)


def _field(fn: FunctionText, name: str) -> str:
    return fn.value(f"getelementptr i8, ptr %sync, i64 {SYNC_OFFSETS[name]}", name)


def _pause(triple: str) -> str:
    """Tells the processor that this is a spinning loop."""
    fn = FunctionText("sn.pause", [], attributes="alwaysinline nounwind")
    if triple.startswith(("x86_64", "i686")):
        fn.do("call void @llvm.x86.sse2.pause()")
    elif triple.startswith(("aarch64", "arm64")):
        fn.do("call void @llvm.aarch64.hint(i32 1)")
    return fn.finish()


def _wait() -> str:
    """Wait until the i32 at %place is no longer %value: spin for a while, then let others run."""
    fn = FunctionText("sn.wait", [("ptr", "place"), ("i32", "value")])
    fn.do("br label %spin")
    fn.start("spin")
    fn.do("%count = phi i64 [ 0, %entry ], [ %next, %again ], [ %next, %yield ]")
    now = fn.value("load atomic i32, ptr %place acquire, align 4")
    changed = fn.value(f"icmp ne i32 {now}, %value")
    fn.do("%next = add i64 %count, 1")
    fn.do(f"br i1 {changed}, label %done, label %pause")
    fn.start("pause")
    fn.do("call void @sn.pause()")
    long = fn.value(f"icmp sgt i64 %count, {SPINS_BEFORE_YIELD}")
    fn.do(f"br i1 {long}, label %yield, label %again")
    fn.start("again")
    fn.do("br label %spin")
    fn.start("yield")
    fn.do("call i32 @sched_yield()")
    fn.do("br label %spin")
    fn.start("done")
    return fn.finish()


def _barrier() -> str:
    """All %n threads arrive before any goes on; the last one opens it by counting the phase up."""
    fn = FunctionText("sn.barrier", [("ptr", "sync"), ("i64", "n")], linkage="hidden", attributes="noinline nounwind")
    arrived, phase = _field(fn, "arrived"), _field(fn, "phase")
    before = fn.value(f"load atomic i32, ptr {phase} monotonic, align 4")
    earlier = fn.value(f"atomicrmw add ptr {arrived}, i32 1 acq_rel")
    wide = fn.value(f"sext i32 {earlier} to i64")
    so_far = fn.value(f"add i64 {wide}, 1")
    is_last = fn.value(f"icmp eq i64 {so_far}, %n")
    fn.do(f"br i1 {is_last}, label %open, label %wait")
    fn.start("open")
    fn.do(f"store atomic i32 0, ptr {arrived} monotonic, align 4")
    following = fn.value(f"add i32 {before}, 1")
    fn.do(f"store atomic i32 {following}, ptr {phase} release, align 4")
    fn.do("ret void")
    fn.start("wait")
    fn.do(f"call void @sn.wait(ptr {phase}, i32 {before})")
    return fn.finish()


def _init() -> str:
    fn = FunctionText("sn_init", [("ptr", "sync")], linkage="")
    fn.do(f"call void @llvm.memset.p0.i64(ptr %sync, i8 0, i64 {SYNC_BYTES}, i1 false)")
    fn.do(f"call i32 @pthread_mutex_init(ptr {_field(fn, 'mutex')}, ptr null)")
    fn.do(f"call i32 @pthread_cond_init(ptr {_field(fn, 'wake')}, ptr null)")
    return fn.finish()


def _worker() -> str:
    """Wait for a job that is not the last one seen, do this worker's part of it, count it done; until stopped."""
    fn = FunctionText("sn_worker", [("ptr", "sync"), ("i64", "tid")], linkage="")
    names = ("job", "entry", "table", "done", "sleepers", "stop", "mutex", "wake")
    job, entry, table, done, sleepers, stop, mutex, wake = (_field(fn, name) for name in names)
    fn.do("br label %idle")
    fn.start("idle")
    fn.do("%seen = phi i64 [ 0, %entry ], [ %found, %again ]")
    fn.do("br label %spin")
    fn.start("spin")
    fn.do("%count = phi i64 [ 0, %idle ], [ %next, %pause ]")
    fn.do(f"%early = load atomic i64, ptr {job} acquire, align 8")
    fn.do("%fresh = icmp ne i64 %early, %seen")
    fn.do("br i1 %fresh, label %found.one, label %pause")
    fn.start("pause")
    fn.do("call void @sn.pause()")
    fn.do("%next = add i64 %count, 1")
    fn.do(f"%patient = icmp slt i64 %next, {SPINS_BEFORE_SLEEP}")
    fn.do("br i1 %patient, label %spin, label %sleep")
    fn.start("sleep")
    fn.do(f"call i32 @pthread_mutex_lock(ptr {mutex})")
    fn.do(f"atomicrmw add ptr {sleepers}, i32 1 seq_cst")
    fn.do("br label %asleep")
    fn.start("asleep")
    fn.do(f"%late = load atomic i64, ptr {job} seq_cst, align 8")
    fn.do("%new = icmp ne i64 %late, %seen")
    fn.do(f"%stopping = load atomic i32, ptr {stop} seq_cst, align 4")
    fn.do("%stopped = icmp ne i32 %stopping, 0")
    fn.do("%up = or i1 %new, %stopped")
    fn.do("br i1 %up, label %awake, label %wait")
    fn.start("wait")
    fn.do(f"call i32 @pthread_cond_wait(ptr {wake}, ptr {mutex})")
    fn.do("br label %asleep")
    fn.start("awake")
    fn.do(f"atomicrmw sub ptr {sleepers}, i32 1 seq_cst")
    fn.do(f"call i32 @pthread_mutex_unlock(ptr {mutex})")
    fn.do("br i1 %new, label %found.one, label %leave")
    fn.start("found.one")
    fn.do("%found = phi i64 [ %early, %spin ], [ %late, %awake ]")
    threads = fn.value("and i64 %found, 65535")
    takes_part = fn.value(f"icmp slt i64 %tid, {threads}")
    fn.do(f"br i1 {takes_part}, label %work, label %again")
    fn.start("work")
    function, argument = fn.value(f"load ptr, ptr {entry}"), fn.value(f"load ptr, ptr {table}")
    fn.do(f"call i32 {function}(ptr {argument}, i64 %tid, i64 {threads})")
    fn.do(f"atomicrmw add ptr {done}, i32 1 release")
    fn.do("br label %again")
    fn.start("again")
    fn.do("br label %idle")
    fn.start("leave")
    return fn.finish()


def _run() -> str:
    fn = FunctionText(
        "sn_run", [("ptr", "sync"), ("ptr", "function"), ("ptr", "argument"), ("i64", "n")], "i32", linkage=""
    )
    alone = fn.value("icmp sle i64 %n, 1")
    fn.do(f"br i1 {alone}, label %single, label %many")
    fn.start("single")
    result = fn.value("call i32 %function(ptr %argument, i64 0, i64 1)")
    fn.do(f"ret i32 {result}")
    fn.start("many")
    job, entry, table, done = (_field(fn, name) for name in ("job", "entry", "table", "done"))
    fn.do(f"store ptr %function, ptr {entry}")
    fn.do(f"store ptr %argument, ptr {table}")
    fn.do(f"store atomic i32 0, ptr {done} monotonic, align 4")
    before = fn.value(f"load atomic i64, ptr {job} monotonic, align 8")
    number = fn.value(f"lshr i64 {before}, 16")
    following = fn.value(f"add i64 {number}, 1")
    shifted = fn.value(f"shl i64 {following}, 16")
    word = fn.value(f"or i64 {shifted}, %n")
    fn.do(f"store atomic i64 {word}, ptr {job} seq_cst, align 8")
    _wake_sleepers(fn)
    result = fn.value("call i32 %function(ptr %argument, i64 0, i64 %n)")
    others = fn.value("sub i64 %n, 1")
    with fn.loop("0", others, stem="part") as count:  # wait until `done` is past 0, past 1, …
        fn.do(f"call void @sn.wait(ptr {done}, i32 {fn.value(f'trunc i64 {count} to i32')})")
    fn.do("fence acquire")
    return fn.finish(f"i32 {result}")


def _wake_sleepers(fn: FunctionText) -> None:
    sleepers, mutex, wake = (_field(fn, name) for name in ("sleepers", "mutex", "wake"))
    asleep = fn.value(f"load atomic i32, ptr {sleepers} seq_cst, align 4")
    some = fn.value(f"icmp ne i32 {asleep}, 0")
    with fn.when(some, "wake"):
        fn.do(f"call i32 @pthread_mutex_lock(ptr {mutex})")
        fn.do(f"call i32 @pthread_cond_broadcast(ptr {wake})")
        fn.do(f"call i32 @pthread_mutex_unlock(ptr {mutex})")


def _stop() -> str:
    fn = FunctionText("sn_stop", [("ptr", "sync")], linkage="")
    fn.do(f"store atomic i32 1, ptr {_field(fn, 'stop')} seq_cst, align 4")
    _wake_sleepers(fn)
    return fn.finish()


# --- the loop over batches ---------------------------------------------------------------------------------------


def _slot(fn: FunctionText, block: str, slot: str | int, kind: str = "i64") -> str:
    place = fn.value(f"getelementptr i64, ptr {block}, i64 {slot}")
    return fn.value(f"load {kind}, ptr {place}, align 8")


def _epoch_body() -> str:
    """What each thread does in sn_epoch; has the form of an entry, so that sn_run can start it."""
    fn = FunctionText("sn.epoch", [("ptr", "args"), ("i64", "tid"), ("i64", "n")], "i32")
    pointers = {name: _slot(fn, "%args", EPOCH_SLOTS[name], "ptr") for name in ("sync", "entry", "table", "order")}
    names = ("slots", "rows", "batch", "first", "last", "dim_slot", "arrays", "records", "apart")
    number = {name: _slot(fn, "%args", EPOCH_SLOTS[name]) for name in names}
    reached = fn.value(f"getelementptr i64, ptr %args, i64 {EPOCH_SLOTS['reached']}")
    table = fn.value(f"alloca i64, i64 {number['slots']}, align 64")
    table_bytes = fn.value(f"shl i64 {number['slots']}, 3")
    fn.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {table}, ptr {pointers['table']}, i64 {table_bytes}, i1 false)")
    several, main = fn.value("icmp sgt i64 %n, 1"), fn.value("icmp eq i64 %tid, 0")
    asked = fn.value(f"icmp ne i64 {number['apart']}, 0")
    apart = fn.value(f"and i1 {several}, {asked}")
    _begin_batch(fn, table, pointers["order"], number, number["first"])
    _meet(fn, several, pointers["sync"])
    with fn.loop(number["first"], number["last"], stem="step") as step:
        code = fn.value(f"call i32 {pointers['entry']}(ptr {table}, i64 %tid, i64 %n)")
        failed = fn.value(f"icmp ne i32 {code}, 0")
        with fn.when(failed, "fail"):
            with fn.when(main):
                fn.do(f"store i64 {step}, ptr {reached}, align 8")
            fn.do(f"ret i32 {code}")
            fn.start(fn.fresh("unreached"))
        following = fn.value(f"add i64 {step}, 1")
        with fn.when(fn.value(f"icmp slt i64 {following}, {number['last']}"), "next"):
            _begin_batch(fn, table, pointers["order"], number, following)
        _meet(fn, several, pointers["sync"])  # every thread's results are there before they are kept
        with fn.when(main):
            _keep(fn, number["arrays"], number["records"], step, _rows(fn, number, step)[1])
        _meet(fn, apart, pointers["sync"])
    with fn.when(main):
        fn.do(f"store i64 {number['last']}, ptr {reached}, align 8")
    return fn.finish("i32 0")


def _rows(fn: FunctionText, number: Mapping[str, str], step: str) -> tuple[str, str]:
    """The first row of a batch, and how many it has."""
    start = fn.value(f"mul i64 {step}, {number['batch']}")
    left = fn.value(f"sub i64 {number['rows']}, {start}")
    return start, fn.value(f"call i64 @llvm.smin.i64(i64 {left}, i64 {number['batch']})")


def _begin_batch(fn: FunctionText, table: str, order: str, number: Mapping[str, str], step: str) -> None:
    """Make the table that of a batch; this thread gathers its part of the rows."""
    start, count = _rows(fn, number, step)
    named = fn.value(f"icmp sge i64 {number['dim_slot']}, 0")
    with fn.when(named):
        place = fn.value(f"getelementptr i64, ptr {table}, i64 {number['dim_slot']}")
        fn.do(f"store i64 {count}, ptr {place}, align 8")
    odd = fn.value(f"and i64 {step}, 1")
    half = fn.value(f"mul i64 {odd}, {number['batch']}")
    _point_at_rows(fn, table, order, number["arrays"], start, count, half)


def _meet(fn: FunctionText, several: str, sync: str) -> None:
    with fn.when(several, "meet"):
        fn.do(f"call void @sn.barrier(ptr {sync}, i64 %n)")


def _point_at_rows(fn: FunctionText, table: str, order: str, arrays: str, start: str, count: str, half: str) -> None:
    """Make the table point at the rows of the batch; this thread gathers its part of them, from row `half` of the
    staging buffer on, when they are scattered."""
    in_order = fn.value(f"icmp eq ptr {order}, null")
    low, high = _share(fn, count, "%tid"), _share(fn, count, fn.value("add i64 %tid, 1"))
    with fn.loop("0", arrays, stem="array") as array:
        at = fn.value(f"mul i64 {array}, {len(ARRAY_SLOTS)}")
        block = fn.value(f"getelementptr i64, ptr %args, i64 {at}")
        base = _slot(fn, block, ARRAYS, "ptr")
        row_bytes, slot = _slot(fn, block, ARRAYS + 1), _slot(fn, block, ARRAYS + 2)
        staged = fn.value(f"mul i64 {half}, {row_bytes}")
        staging = fn.value(f"getelementptr i8, ptr {_slot(fn, block, ARRAYS + 3, 'ptr')}, i64 {staged}")
        skipped = fn.value(f"mul i64 {start}, {row_bytes}")
        direct = fn.value(f"getelementptr i8, ptr {base}, i64 {skipped}")
        chosen = fn.value(f"select i1 {in_order}, ptr {direct}, ptr {staging}")
        place = fn.value(f"getelementptr i64, ptr {table}, i64 {slot}")
        fn.do(f"store ptr {chosen}, ptr {place}, align 8")
        until = fn.value(f"select i1 {in_order}, i64 {low}, i64 {high}")
        with fn.loop(low, until, stem="row") as row:
            position = fn.value(f"add i64 {start}, {row}")
            source_row = _slot(fn, order, position)
            source_at, target_at = (
                fn.value(f"mul i64 {source_row}, {row_bytes}"),
                fn.value(f"mul i64 {row}, {row_bytes}"),
            )
            source = fn.value(f"getelementptr i8, ptr {base}, i64 {source_at}")
            target = fn.value(f"getelementptr i8, ptr {staging}, i64 {target_at}")
            fn.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {row_bytes}, i1 false)")


def _share(fn: FunctionText, count: str, thread: str) -> str:
    """Where the share of a thread begins."""
    product = fn.value(f"mul i64 {count}, {thread}")
    return fn.value(f"udiv i64 {product}, %n")


def _keep(fn: FunctionText, arrays: str, records: str, step: str, count: str) -> None:
    """Copy or add up the values that are to be kept of this batch."""
    after = fn.value(f"mul i64 {arrays}, {len(ARRAY_SLOTS)}")
    first = fn.value(f"getelementptr i64, ptr %args, i64 {after}")
    rows = fn.value(f"sitofp i64 {count} to double")
    with fn.loop("0", records, stem="record") as record:
        at = fn.value(f"mul i64 {record}, {len(RECORD_SLOTS)}")
        block = fn.value(f"getelementptr i64, ptr {first}, i64 {at}")
        source, size = _slot(fn, block, ARRAYS, "ptr"), _slot(fn, block, ARRAYS + 1)
        target, kind = _slot(fn, block, ARRAYS + 2, "ptr"), _slot(fn, block, ARRAYS + 3)
        copied = fn.value(f"icmp eq i64 {kind}, {RECORD_KINDS['each']}")
        with fn.when(copied):
            moved = fn.value(f"mul i64 {step}, {size}")
            place = fn.value(f"getelementptr i8, ptr {target}, i64 {moved}")
            fn.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {place}, ptr {source}, i64 {size}, i1 false)")
        for name, llvm_kind in (("sum_float32", "float"), ("sum_float64", "double")):
            summed = fn.value(f"icmp eq i64 {kind}, {RECORD_KINDS[name]}")
            with fn.when(summed):
                value = fn.value(f"load {llvm_kind}, ptr {source}")
                if llvm_kind == "float":
                    value = fn.value(f"fpext float {value} to double")
                weighted = fn.value(f"fmul double {value}, {rows}")
                total = fn.value(f"load double, ptr {target}")
                fn.do(f"store double {fn.value(f'fadd double {total}, {weighted}')}, ptr {target}")


def _epoch() -> str:
    fn = FunctionText("sn_epoch", [("ptr", "sync"), ("ptr", "args"), ("i64", "n")], "i32", linkage="")
    result = fn.value("call i32 @sn_run(ptr %sync, ptr @sn.epoch, ptr %args, i64 %n)")
    return fn.finish(f"i32 {result}")


# --- one call after another -------------------------------------------------------------------------------------


def _again() -> str:
    fn = FunctionText("sn_again", [("ptr", "args")], "i32", linkage="")
    sync, entry, table = (_slot(fn, "%args", AGAIN_SLOTS[name], "ptr") for name in ("sync", "entry", "table"))
    threads, count = _slot(fn, "%args", AGAIN_SLOTS["threads"]), _slot(fn, "%args", AGAIN_SLOTS["arrays"])
    at = fn.value("alloca i64", "at")
    fn.do(f"store i64 {fn.value(f'add i64 {count}, {AGAIN_OBJECTS}')}, ptr {at}")
    with fn.loop("0", count, stem="array") as number:
        array = _slot(fn, "%args", fn.value(f"add i64 {number}, {AGAIN_OBJECTS}"), "ptr")
        first = fn.value(f"load i64, ptr {at}")
        wanted = fn.value(f"getelementptr i64, ptr %args, i64 {first}")
        slot, kind, descr, rank = (_slot(fn, wanted, place) for place in range(len(AGAIN_WANTED)))
        _return_unless(fn, "eq", _member(fn, array, OBJECT_TYPE), kind)
        _return_unless(fn, "eq", _member(fn, array, ARRAY_DESCR), descr)
        _return_unless(fn, "eq", fn.value(f"zext i32 {_member(fn, array, ARRAY_RANK, 'i32')} to i64"), rank)
        _return_unless(fn, "ne", fn.value(f"and i64 {_member(fn, array, ARRAY_FLAGS)}, 1"), "0")
        extents = _member(fn, array, ARRAY_EXTENTS, "ptr")
        lengths = fn.value(f"getelementptr i64, ptr {wanted}, i64 {len(AGAIN_WANTED)}")
        with fn.loop("0", rank, stem="axis") as axis:
            _return_unless(fn, "eq", _slot(fn, extents, axis), _slot(fn, lengths, axis))
        place = fn.value(f"getelementptr i64, ptr {table}, i64 {slot}")
        fn.do(f"store i64 {_member(fn, array, ARRAY_DATA)}, ptr {place}, align 8")
        passed = fn.value(f"add i64 {rank}, {len(AGAIN_WANTED)}")
        fn.do(f"store i64 {fn.value(f'add i64 {first}, {passed}')}, ptr {at}")
    result = fn.value(f"call i32 @sn_run(ptr {sync}, ptr {entry}, ptr {table}, i64 {threads})")
    return fn.finish(f"i32 {result}")


def _member(fn: FunctionText, array: str, offset: int, kind: str = "i64") -> str:
    place = fn.value(f"getelementptr i8, ptr {array}, i64 {offset}")
    return fn.value(f"load {kind}, ptr {place}")


def _return_unless(fn: FunctionText, order: str, one: str, other: str) -> None:
    holds = fn.value(f"icmp {order} i64 {one}, {other}")
    with fn.when(fn.value(f"xor i1 {holds}, true"), "other"):
        fn.do(f"ret i32 {NOT_AS_BEFORE}")
        fn.start(fn.fresh("unreached"))
