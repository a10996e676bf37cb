# shellcheck shell=bash disable=SC2034,SC2154
# What of Debian a lab machine is made of, through apt alone. Nothing is installed: packages are
# unpacked below the cache. Takes its variables and functions from the architecture's file.

# modinfo and mke2fs are where a user's own $PATH does not look; what is in the machine is for all its
# users.
PATH+=:/usr/sbin:/sbin
umask 022

# One machine at a time in a tree: they share its console and the files that come back.
own_machine() {
    local running

    mkdir -p "$lab"
    exec {running}>"$lab/lock" # until this script has ended
    flock -n "$running" && return
    echo "lab: another $arch lab machine of this tree is running" >&2
    exit 1
}

# Libraries by their -dev packages: their names are the same in every release, and where vmmd is
# cross-built, it is against these.
sysroot_packages='busybox-static libc6-dev libevent-dev libjson-c-dev libsystemd-dev libseccomp-dev
    libsmartcols-dev libcapstone-dev libcmocka-dev python3-pytest python3-pytest-timeout'

# Packs a directory as the kernel takes it. Not compressed: the emulated CPU is slow at unpacking.
pack_archive() {
    (cd "$1" && find . -print0 | cpio --null --quiet --create --format newc --owner 0:0)
}

# What could not be fetched may be had another day: the status of that, and of no other failure.
unreachable=75 # EX_TEMPFAIL of sysexits.h

lab_apt_get() {
    apt-get -qq -o Debug::NoLocking=1 "$@" || exit "$unreachable"
}

# $kernel_package is an empty package that depends on the current kernel, which is one package, or,
# from Debian 14 on, three.
fetch_kernel() {
    local packages package

    packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances "$kernel_package" |
        grep -E '^linux-(image|binary|modules)-[0-9]' | sort -u) ||
        exit "$unreachable" # apt-get update does not fail where it has no lists
    # shellcheck disable=SC2086 # words
    (cd "$work" && lab_apt_get download $packages)
    for package in "$work"/linux-*.deb; do
        dpkg-deb -x "$package" "$work/linux"
    done
    find "$work/linux" -name 'vmlinu[xz]*' -exec cp {} "$work/kernel" \;
}

# apt works out what the packages depend on as if nothing were installed.
fetch_sysroot() {
    local name package

    touch "$work/nothing-installed"
    # shellcheck disable=SC2086 # words
    lab_apt_get -y -o Dir::State::status="$work/nothing-installed" --no-install-recommends \
        --download-only install $sysroot_packages $image_packages
    for name in bin sbin lib lib64; do
        mkdir -p "$work/sysroot/usr/$name"
        ln -s "usr/$name" "$work/sysroot/$name"
    done
    for package in "$work"/apt/archives/*.deb; do
        # dpkg-deb -x would put directories in place of these links
        dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$work/sysroot"
    done
}

# Prints the files of a module and of what it needs, in the order to load them. (depmod would look
# at every module there is, for seconds.)
module_files() {
    local file needed module

    # file names have hyphens or underscores, whatever the module's name has
    file=$(find "$work/linux" -name "${1//[-_]/[-_]}.ko*")
    [[ -n $file ]] || return 0 # built in
    needed=$(modinfo -F depends "$file")
    for module in ${needed//,/ }; do
        module_files "$module"
    done
    echo "$file"
}

add_modules() {
    local root=$1 module file name

    mkdir "$root/modules"
    for module in $kernel_modules; do
        module_files "$module"
    done | awk '!seen[$0]++' | while read -r file; do
        name=$(basename "$file" .xz)
        case $file in
        *.xz) xz -dc "$file" >"$root/modules/$name" ;;
        *) cp "$file" "$root/modules/$name" ;;
        esac
        echo "$name" >>"$root/modules/order"
    done
}

# What the machine has no use for.
trim() {
    local root=$1

    rm -rf "$root"/usr/{include,share/{doc,man,locale,lintian,info},lib/"$triplet"/{gconv,perl*}} \
        "$root"/usr/lib/python3.*/{test,idlelib,lib2to3,ensurepip,distutils,pydoc_data,tkinter}
    find "$root" -name '*.a' -delete
}

# Python without compiled files would compile for a minute at each boot.
compile_python() {
    local root=$1 python

    python=$(echo "$root"/usr/bin/python3.*)
    PYTHONHOME=$root/usr run_in_sysroot "$root" "$python" -m compileall -q \
        --invalidation-mode unchecked-hash "$root"/usr/lib/python3*
}

# Makes $1/kernel, sysroot and debian.cpio, and sysroot.ini, a cross file of Meson's that says where
# the sysroot is.
debian_make() {
    local root work=$1.new

    echo "lab: fetching Debian's packages into $1" >&2
    rm -rf "$work"
    mkdir -p "$work/apt/archives/partial"
    apt_setup "$work" || exit "$unreachable"
    fetch_kernel
    fetch_sysroot
    mkdir -p "$work/sysroot/boot"
    cp "$work/kernel" "$work/sysroot/boot/vmlinuz" # which tests boot as a guest, too

    root=$work/root
    cp -a "$work/sysroot" "$root"
    add_modules "$root"
    trim "$root"
    compile_python "$root"
    pack_archive "$root" >"$work/debian.cpio"
    printf "[constants]\nsysroot = '%s'\n" "$1/sysroot" >"$work/sysroot.ini"

    rm -rf "$work"/{apt*,*.deb,linux,nothing-installed} "$root"
    mv "$work" "$1"
}

# Keeps TAP on standard input as what ran in this lab, and counts it. $1: the status of what ran.
count() {
    "$labs/record.py" "$lab" "tests in the $arch lab" "$1"
    .ci/count-tests "${lab#"$PWD/"}"
}

# Prints the directory below $1 that has what the files in $recipe make on this release, made if need
# be. What other trees have made is beside it, and stays until it has been of no use for a month.
debian_fetch() {
    local directory lock

    directory=$1/$arch-$(cat /etc/debian_version "${recipe[@]}" | sha256sum | head -c 12)
    mkdir -p "$1"
    exec {lock}>"$1/lock" # until the end of the subshell that this runs in
    flock --nonblock "$lock" || { echo "lab: waiting for another that fetches" >&2 && flock "$lock"; }
    [[ -d $directory ]] || debian_make "$directory" >&2
    touch "$directory"
    find "$1" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} +
    echo "$directory"
}

# Sets $cache to the directory of what is fetched. $1: `test` where that counts as skipped if it cannot be.
debian_need() {
    local status

    # In no condition: there, the shell would not stop at the first failure.
    set +e
    cache=$(set -e && debian_fetch "${XDG_CACHE_HOME:-$HOME/.cache}/vmmd-lab")
    status=$?
    set -e
    [[ $status -ne 0 ]] || return 0
    [[ $status -eq $unreachable ]] || exit "$status"
    echo "lab: Debian's packages for the $arch lab cannot be fetched" >&2
    [[ ${1-} == test ]] || exit 1
    count 0 <<<$'1..1\nok 1 # SKIP packages cannot be fetched'
    exit
}
