"""The arguments of system calls that may block: their names and how they are written. Source: man-pages, section 2."""

from __future__ import annotations

from collections.abc import Sequence

_SIGNATURES = """
read fd buf count
pread64 fd buf count offset
readv fd iov iovcnt
preadv fd iov iovcnt offset
preadv2 fd iov iovcnt offset
write fd buf count
pwrite64 fd buf count offset
writev fd iov iovcnt
pwritev fd iov iovcnt offset
pwritev2 fd iov iovcnt offset
recvfrom fd buf count flags addr addrlen
recvmsg fd msg flags
recvmmsg fd msgs vlen flags timeout
sendto fd buf count flags addr addrlen
sendmsg fd msg flags
sendmmsg fd msgs vlen flags
accept fd addr addrlen
accept4 fd addr addrlen flags
connect fd addr addrlen
shutdown fd how
sendfile out_fd in_fd offset count
splice fd_in off_in fd_out off_out count flags
tee fd_in fd_out count flags
vmsplice fd iov iovcnt flags
copy_file_range fd_in off_in fd_out off_out count flags
open path flags mode
openat dfd path flags mode
openat2 dfd path how count
creat path mode
close fd
close_range first last flags
stat path statbuf
lstat path statbuf
fstat fd statbuf
newfstatat dfd path statbuf flags
statx dfd path flags mask statbuf
statfs path buf
fstatfs fd buf
access path mode
faccessat dfd path mode
faccessat2 dfd path mode flags
readlink path buf count
readlinkat dfd path buf count
getdents fd buf count
getdents64 fd buf count
lseek fd offset whence
ioctl fd request argument
fcntl fd fcntl_cmd argument
flock fd flock_op
fsync fd
fdatasync fd
syncfs fd
sync_file_range fd offset count flags
fallocate fd mode offset count
ftruncate fd count
truncate path count
fadvise64 fd offset count advice
readahead fd offset count
mkdir path mode
mkdirat dfd path mode
rmdir path
unlink path
unlinkat dfd path flags
rename path newpath
renameat dfd path newdfd newpath
renameat2 dfd path newdfd newpath flags
link path newpath
linkat dfd path newdfd newpath flags
symlink target path
symlinkat target dfd path
chmod path mode
fchmod fd mode
fchmodat dfd path mode
chown path uid gid
fchown fd uid gid
fchownat dfd path uid gid flags
utimensat dfd path times flags
chdir path
fchdir fd
mount source path type flags data
umount2 path flags
sync
mmap addr count prot flags fd offset
munmap addr count
mprotect addr count prot
madvise addr count advice
msync addr count flags
mlock addr count
poll fds nfds timeout_ms
ppoll fds nfds timeout
select nfds readfds writefds exceptfds timeout
pselect6 nfds readfds writefds exceptfds timeout
epoll_wait epfd events maxevents timeout_ms
epoll_pwait epfd events maxevents timeout_ms
epoll_pwait2 epfd events maxevents timeout
io_getevents ctx min_nr nr events timeout
io_submit ctx nr iocbs
io_uring_enter fd to_submit min_complete flags
futex uaddr futex_op val timeout uaddr2 val3
futex_wait uaddr val mask flags timeout clockid
futex_waitv waiters nr flags timeout clockid
nanosleep rqtp rmtp
clock_nanosleep clockid flags rqtp rmtp
wait4 pid status options rusage
waitid idtype id infop options rusage
pause
rt_sigsuspend mask
rt_sigtimedwait mask info timeout
semop semid sops nsops
semtimedop semid sops nsops timeout
msgrcv msqid buf count msgtyp msgflg
msgsnd msqid buf count msgflg
mq_timedreceive fd buf count prio timeout
mq_timedsend fd buf count prio timeout
clone flags stack parent_tid child_tid tls
clone3 args count
fork
vfork
execve path argv envp
execveat dfd path argv envp flags
exit code
exit_group code
ptrace ptrace_op pid addr data
restart_syscall
userfaultfd flags
fanotify_mark fd flags mask dfd path
finit_module fd params flags
init_module image count params
delete_module name flags
bpf bpf_cmd attr count
perf_event_open attr pid cpu group_fd flags
"""
_NAMES = {words[0]: tuple(words[1:]) for line in _SIGNATURES.split("\n") if (words := line.split())}
_FDS = ("fd", "epfd", "dfd", "newdfd", "fd_in", "fd_out", "in_fd", "out_fd", "group_fd")
_MAIN = ("fd", "epfd", "fd_in", "in_fd", "dfd")  # the file that a call waits for comes first
_SIGNED = (*_FDS, "timeout_ms", "pid", "whence", "cpu")
_AT_FDCWD = -100
_FUTEX = (
    *("WAIT", "WAKE", "FD", "REQUEUE", "CMP_REQUEUE", "WAKE_OP", "LOCK_PI", "UNLOCK_PI", "TRYLOCK_PI", "WAIT_BITSET"),
    *("WAKE_BITSET", "WAIT_REQUEUE_PI", "CMP_REQUEUE_PI", "LOCK_PI2"),
)  # linux/futex.h
_FUTEX_PRIVATE, _FUTEX_CLOCK = 128, 256
_FCNTL = {5: "F_GETLK", 6: "F_SETLK", 7: "F_SETLKW", 36: "F_OFD_GETLK", 37: "F_OFD_SETLK", 38: "F_OFD_SETLKW"}
_FLOCK = {1: "LOCK_SH", 2: "LOCK_EX", 8: "LOCK_UN"}
_LOCK_NB = 4


def names(call: str) -> tuple[str, ...]:
    """The arguments' names; empty for an unknown call."""
    return _NAMES.get(call, ())


def descriptor(call: str, arguments: Sequence[int]) -> int | None:
    """The descriptor of the file or socket that a call is about."""
    found = dict(zip(names(call), arguments, strict=False))
    for name in _MAIN:
        if name in found and (number := _signed(found[name])) >= 0:
            return number
    return None


def written(call: str, arguments: Sequence[int]) -> str:
    """`read(fd=3, buf=0x7f…, count=4096)`; for an unknown call, all six arguments without names."""
    if call not in _NAMES:
        return f"{call}({', '.join(map(hex, arguments))})"
    return f"{call}({', '.join(f'{_title(name)}={_value(name, each)}' for name, each in _named(call, arguments))})"


def _named(call: str, arguments: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(names(call), arguments, strict=False))


def _title(name: str) -> str:
    return {
        "futex_op": "op",
        "fcntl_cmd": "cmd",
        "flock_op": "operation",
        "ptrace_op": "request",
        "bpf_cmd": "cmd",
    }.get(name, name)


def _value(name: str, value: int) -> str:
    if name in _SIGNED:
        number = _signed(value)
        return "AT_FDCWD" if number == _AT_FDCWD else str(number)
    if name == "futex_op":
        return _futex(value)
    if name == "fcntl_cmd":
        return _FCNTL.get(value & 0xFFFFFFFF, str(value))
    if name == "flock_op":
        return _FLOCK.get(value & ~_LOCK_NB, str(value)) + "|LOCK_NB" * bool(value & _LOCK_NB)
    if name in ("flags", "mask", "mode", "prot", "request"):
        return hex(value & 0xFFFFFFFF)
    return str(value) if value < 1 << 31 else hex(value)


def _futex(value: int) -> str:
    command = value & ~(_FUTEX_PRIVATE | _FUTEX_CLOCK) & 0xFFFFFFFF
    word = _FUTEX[command] if command < len(_FUTEX) else str(command)
    return word + "|PRIVATE" * bool(value & _FUTEX_PRIVATE) + "|CLOCK_REALTIME" * bool(value & _FUTEX_CLOCK)


def _signed(value: int) -> int:
    """An int in a register: its upper half is not defined."""
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low
