from ebpftop.verifier.compiler import Message, explain, parse

CLANG = """\
In file included from <built-in>:2:
/virtual/main.c:3:7: warning: incompatible integer to pointer conversion [-Wint-conversion]
 u64 *p = 5;
      ^   ~
/virtual/main.c:14:9: error: use of undeclared identifier 'y'
 int x = y;
         ^
/virtual/main.c:12:5: note: declared here
probes/include/ebpftop.h:5:4: fatal error: 'linux/sched.h' file not found
1 warning and 2 errors generated.
"""


def test_errors_come_first_with_their_notes() -> None:
    assert parse(CLANG) == [
        Message("error", "/virtual/main.c", 14, 9, "use of undeclared identifier 'y'"),
        Message("note", "/virtual/main.c", 12, 5, "declared here"),
        Message("fatal error", "probes/include/ebpftop.h", 5, 4, "'linux/sched.h' file not found"),
        Message("warning", "/virtual/main.c", 3, 7, "incompatible integer to pointer conversion [-Wint-conversion]"),
    ]


def test_a_stack_too_large_names_its_function_and_line() -> None:
    text = "Looks like the BPF stack limit of 512 bytes is exceeded. Please move large on stack variables into BPF map."
    assert parse(f"error: /virtual/main.c:13:7: in function f i32 (i8*): {text}\n\n") == [
        Message("error", "/virtual/main.c", 13, 7, text, "f")
    ]


def test_llvm_without_a_place() -> None:
    said = parse(
        "error: <unknown>:0:0: in function f i32 (ptr): 0x55d0c8: A call to built-in function 'x' is not supported.\n"
        "LLVM ERROR: Cannot select: intrinsic %llvm.x\n"
        "fatal error: error in backend: branch target out of range\n"
    )
    assert said == [
        Message("error", "", None, None, "A call to built-in function 'x' is not supported.", "f"),
        Message("fatal error", "", None, None, "Cannot select: intrinsic %llvm.x"),
        Message("fatal error", "", None, None, "error in backend: branch target out of range"),
    ]


def test_other_output_is_no_message() -> None:
    assert parse("Disassembly of function f\n; return 0; // Line  3\n   0:\tb7 00 00 00 00 00 00 00\tr0 = 0\n") == []


def test_a_note_before_anything_else_stands_alone() -> None:
    assert parse("/virtual/main.c:1:2: note: here\n") == [Message("note", "/virtual/main.c", 1, 2, "here")]


def test_only_what_needs_it_is_explained() -> None:
    assert "512 bytes" in explain("Looks like the BPF stack limit is exceeded. Please move large on stack variables")
    assert explain("use of undeclared identifier 'x'") == ""
