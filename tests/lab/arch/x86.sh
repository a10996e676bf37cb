# shellcheck shell=bash disable=SC2034,SC2154
# The x86 lab: kvm_amd, on the nested SVM that QEMU's emulation has. It has no VMX.

build=build
kernel_package=linux-image-cloud-amd64 # starts sooner than linux-image-amd64, and is smaller
triplet=x86_64-linux-gnu
kernel_modules='virtio_pci virtio_console fuse kvm_amd'
image_packages='memtest86+ seabios' # guests that were not written for vmmd
qemu=(qemu-system-x86_64 -machine pc -cpu max)

# The machine's own sources, but lists of our own: the machine's may be missing, or name versions that the
# mirror has no more, and only root may update them.
apt_setup() {
    local root=$1/apt-root

    mkdir -p "$root/lists/partial"
    cat >"$root/apt.conf" <<END
Dir::State::lists "$root/lists";
Dir::Cache "$1/apt";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
    export APT_CONFIG=$root/apt.conf
    apt-get -qq update
}

arch_meson_options() {
    :
}

# Runs a program of $1, an unpacked root, here.
run_in_sysroot() {
    local root=$1
    shift
    "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/$triplet" "$@"
}
