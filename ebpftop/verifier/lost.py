"""How knowledge that a reader relies on gets lost, in sentences to be filled in.

Sources, of the kernel's history: "Track spill/fill of bounded scalars" (5.10), "Support <8-byte scalar spill and
refill" (5.16), "Track spilled unbounded scalars" (6.9).
"""

OVER_STACK = (
    "{name} went over the stack (slot {slot}, read back at instruction {insn}), and the kernel forgot its bounds "
    "there, so a check made before doesn't count: kernels before 5.10 forget those of any number, before 5.16 those "
    "of one of 4 bytes, before 6.9 of one that wasn't bounded yet. Bound it again right behind that, and keep the "
    "compiler from moving it: `barrier_var(n); n &= MAX - 1`."
)
AGAIN = (
    "Instruction {check} checks what instruction {first} read from this place, and instruction {second} reads it "
    "again: memory may have changed in between, so the check doesn't count. Read it once into a variable, check that, "
    "and use that (`barrier_var` keeps the compiler from reading twice)."
)
OTHER_POINTER = (
    "The check at instruction {insn} is of {register}; a number that isn't constant was added since, and what comes "
    "of that needs a check of its own."
)
COUNTS_TOO_FEW = (
    "The check at instruction {insn} proves that byte, but this kernel counts one too few there: that was repaired in "
    "Linux 5.16 and in later 5.10 and 5.15. Write `p + 1 > data_end` in place of `p >= data_end`."
)
