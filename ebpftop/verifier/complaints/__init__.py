"""The verifier's complaints (kernel/bpf/verifier.c from 5.15 on) and what they mean: data, one entry each.

Where kernels word one thing differently, one pattern takes all wordings. The first entry that matches is used, so the
special stands before the general.
"""

from ebpftop.verifier.complaints import memory, shape, values
from ebpftop.verifier.complaints.model import Complaint

COMPLAINTS: tuple[Complaint, ...] = memory.COMPLAINTS + values.COMPLAINTS + shape.COMPLAINTS
