# The file system of a Lambda function, in a private mount namespace that ends with the process: the code in /var/task,
# layers in /opt, a Node in /var/lang, an empty /tmp, which alone can be written, and nothing of the repository.
set -eu
root=$1 task=$2 opt=$3 node=$4 runtime=$5 tmp_mb=$6
shift 6

mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root/usr" "$root/etc" "$root/dev" "$root/proc" "$root/opt" "$root/tmp"
mkdir -p "$root/var/task" "$root/var/runtime" "$root/var/lang/bin"
for name in bin sbin lib lib64; do
  if [ -L "/$name" ]; then
    cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then
    mkdir "$root/$name"
    mount -o bind,ro "/$name" "$root/$name"
  fi
done
for device in null zero random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
: > "$root/var/lang/bin/node"
mount -o bind,ro "$node" "$root/var/lang/bin/node"
mount -o bind,ro /usr "$root/usr"
mount -o bind,ro /etc "$root/etc"
mount --bind /proc "$root/proc"
mount -o bind,ro "$task" "$root/var/task"
mount -o bind,ro "$opt" "$root/opt"
mount -o bind,ro "$runtime" "$root/var/runtime"
mount -t tmpfs -o "size=${tmp_mb}m,mode=700,uid=65534,gid=65534" tmpfs "$root/tmp"
mount -o remount,ro "$root"

# chroot needs root, so it also becomes nobody; exec all the way down keeps the process id.
exec /usr/sbin/chroot --userspec=65534:65534 --groups= "$root" /usr/bin/env --chdir=/var/task /var/lang/bin/node "$@"
