#!/bin/sh
# In the guest, as root: the host's root file system once more, cached and copy on write, and a command in it.
# usage: guest.sh CHECKOUT OUT COMMAND...   writes OUT/log, OUT/held.json and, at the end, OUT/status
set -eu
checkout=$1 out=$2
shift 2
exec >"$out/log" 2>&1 3<"$out" </dev/null

uname -r
unshare --mount --propagation private sh -eu -s "$checkout" "$@" <<'END' && status=0 || status=$?
checkout=$1
shift
modprobe -a virtio_blk virtio_net ext4 overlay loop brd tun sch_tbf
mkdir /run/lower /run/disk /run/root
# virtme-ng's own mount asks the host again for every read; this one is three times as quick
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 host /run/lower
# a real block device, so that disks have something to trace
mkfs.ext4 -q /dev/vda
mount /dev/vda /run/disk
mkdir /run/disk/upper /run/disk/work
mount -t overlay -o lowerdir=/run/lower,upperdir=/run/disk/upper,workdir=/run/disk/work root /run/root
for each in proc sys dev run; do
    mount --rbind "/$each" "/run/root/$each"
done
if [ -d /run/root/opt/venv ]; then # a root of another architecture: the checkout is added, with its packages
    mkdir -p /run/checkout /run/disk/changed /run/disk/works "/run/root$checkout"
    mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 checkout /run/checkout
    mount -t overlay -o lowerdir=/run/checkout,upperdir=/run/disk/changed,workdir=/run/disk/works work "/run/root$checkout"
    mount --bind /run/root/opt/venv "/run/root$checkout/.venv"
    echo "$checkout" >"/run/root$checkout/.venv/lib/python3.11/site-packages/checkout.pth"
    mkdir -p /run/root/mnt /run/root/root /run/root/tmp # which Debian makes when it configures packages
fi
# a root, not a chroot: in one of those no process can have mounts of its own
cd /run/root
pivot_root . mnt
umount -l /mnt
[ -e /etc/ld.so.cache ] || ldconfig
cd "$checkout"
# OUT has no path here, but a descriptor
env CI=true EBPFTOP_EMULATED=1 EBPFTOP_HELD="/proc/$$/fd/3/held.json" TMPDIR=/run/disk HOME=/root \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$@" </dev/null || exit $?
END
echo "$status" >"$out/status"
