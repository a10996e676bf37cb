# shellcheck shell=bash disable=SC2034,SC2154
# The riscv64 lab: KVM on the hypervisor extension that QEMU's emulation has.

build='build-riscv64'
kernel_package=linux-image-riscv64
triplet=riscv64-linux-gnu
kernel_modules='virtio_console fuse kvm' # virtio_pci is built in
# For the device tree of the guests' board; for the atomics that gcc has no instructions for before
# version 13; and a firmware that lets Linux at the processor's entropy source, as QEMU 7.2's own does not.
image_packages='libfdt-dev libatomic1 opensbi'
# With the Sstc of QEMU 7.2 one guest timer in a thousand never fires.
cpu=rv64,h=true,sstc=false,zkr=true
# Before 8.2, QEMU has mseccfg, which opens the entropy source to Linux, only with what it calls x-epmp.
[[ $(qemu-system-riscv64 -machine none -device rv64-riscv-cpu,help) != *x-epmp* ]] ||
    cpu+=,x-epmp=true
qemu=(qemu-system-riscv64 -machine virt -cpu "$cpu"
    -bios "build-lab-riscv64/debian/usr/lib/$triplet/opensbi/generic/fw_dynamic.bin")

# An apt of its own below $1, so that the machine's knows nothing of another architecture. The mirror
# is the machine's. Debian 13 is the first release with riscv64. A mirror may have but half of its new
# point release: then the next release has to do, signed as well, though maybe not of today.
apt_setup() {
    local root=$1/apt-root mirror suite

    # shellcheck disable=SC2016 # for apt-get
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' |
        head -n 1)
    mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d,sources.list.d} \
        "$root/var/lib/apt/lists/partial"
    cat >"$root/apt.conf" <<END
Dir "$root";
Dir::State::status "/dev/null";
Dir::Cache "$1/apt";
APT::Architecture "riscv64";
APT::Architectures { "riscv64"; };
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
END
    export APT_CONFIG=$root/apt.conf
    for suite in trixie forky; do
        printf '%s\n' 'Types: deb' "URIs: $mirror" "Suites: $suite" 'Components: main' \
            'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' \
            "Check-Valid-Until: $([[ $suite == trixie ]] && echo yes || echo no)" \
            >"$root/etc/apt/sources.list.d/lab.sources"
        ! apt-get -qq update || return 0
    done
    return 1
}

arch_meson_options() {
    meson_options=(--werror --cross-file "$cache/sysroot.ini" --cross-file tests/lab/arch/riscv64.ini)
}

# Runs a program of $1, an unpacked root, here.
run_in_sysroot() {
    local root=$1
    shift
    qemu-riscv64-static -L "$root" "$@"
}
