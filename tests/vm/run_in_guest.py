#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_in_guest.py: runs a test program in a virtual machine that has cgroup version 2 alone.

usage: run_in_guest.py --cache DIRECTORY [--memory MIB] [--timeout S] [--sources PATTERN]
                       PROGRAM [FILE...]

The machine is QEMU without KVM. Its kernel is Debian's for clouds, downloaded into DIRECTORY once
and not installed; its root is made anew: busybox, PROGRAM, the FILEs and the libraries they need,
each at the path it has here, so what the environment says of paths (PERCH_*) holds there, too. A
disk of its own is at /disk. PATTERN names the source files of the test cases that are run. What
PROGRAM writes is this script's output, and its exit code decides; a machine that crashes or hangs
is a failure, shown with the end of its console. Where something that it takes is missing the script
says "[skip] reason" and ends with 77, with 1 where PERCH_REQUIRE_ALL=1.
"""

import argparse
import contextlib
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
TOOLS = ["/bin/sh", "/bin/busybox", "/usr/bin/setpriv", "/usr/bin/setsid", "/usr/bin/unshare"]
NEEDED = ["qemu-system-x86_64", "busybox", "cpio", "mkfs.ext4", "dpkg", "apt-get"]
SEARCHED = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
META_PACKAGE = "linux-image-cloud-amd64"
MODULES = ["net/unix/unix_diag.ko"]
ENDED = re.compile(r"^guest: PROGRAM ended with (\d+)\n", re.MULTILINE)
CONSOLE_TAIL = 60
SKIPPED = 77


class Missing(Exception):
    """Something that has to be there for the machine."""


def output_of(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


# ---- the kernel -----------------------------------------------------------------
def kernel_package():
    """The package that the meta package stands for: its name has the version."""
    for line in output_of("apt-cache", "depends", META_PACKAGE).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise Missing(f"the package lists have no {META_PACKAGE}")


def download_kernel(cache):
    """dpkg -x: nothing of it gets into the system."""
    with tempfile.TemporaryDirectory(dir=cache) as fresh:
        subprocess.run(["apt-get", "download", "-q", kernel_package()], cwd=fresh, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        (package,) = pathlib.Path(fresh).glob("*.deb")
        subprocess.run(["dpkg", "-x", package, f"{fresh}/root"], check=True)
        os.rename(f"{fresh}/root", cache / "kernel")


def kernel(cache):
    """The root of an unpacked kernel package; a machine without package lists gets them first."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "kernel").exists():
        try:
            try:
                download_kernel(cache)
            except (subprocess.CalledProcessError, Missing):
                subprocess.run(["apt-get", "update", "-q"], check=True, capture_output=True)
                download_kernel(cache)
        except (subprocess.CalledProcessError, OSError) as failure:
            raise Missing(f"cannot download a kernel: {failure}") from failure
    return cache / "kernel"


# ---- the root -------------------------------------------------------------------
def libraries(program):
    return re.findall(r"(/\S+) \(0x", subprocess.run(
        ["ldd", program], capture_output=True, text=True, check=False).stdout)


def copy(source, root):
    """Without symbols, which only cost memory there."""
    target = root / str(source).lstrip("/")
    if target.exists():
        return
    if not pathlib.Path(source).exists():
        raise Missing(f"needs {source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    subprocess.run(["strip", target], check=False, stderr=subprocess.DEVNULL)


def environment():
    kept = {name: value for name, value in os.environ.items() if name.startswith("PERCH_")}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in kept.items())


def settings(options):
    """For init to read."""
    given = {"program": str(options.program), "sources": options.sources}
    return environment() + "".join(f"{name}={shlex.quote(text)}\n" for name, text in given.items())


def make_root(root, options, kernel_root):
    for name in ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc", "sys", "dev", "etc", "tmp",
                 "root", "run", "disk", "modules"]:
        (root / name).mkdir(parents=True)
    for name in ["bin", "sbin", "lib", "lib64"]:
        (root / name).symlink_to(f"usr/{name}")
    for source in [*TOOLS, options.program, *options.files]:
        copy(source, root)
        for library in libraries(source):
            copy(library, root)
    for module in MODULES:
        for found in kernel_root.glob(f"lib/modules/*/kernel/{module}"):
            shutil.copy(found, root / "modules")
    shutil.copy(HERE / "init", root / "init")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/test").write_text(settings(options))


def make_archive(root, archive):
    """Not compressed: unpacking it is what would take time there."""
    names = output_of("find", ".", cwd=root)
    with archive.open("wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root, check=True,
                       input=names.encode(), stdout=out)


def make_disk(disk):
    with disk.open("wb") as out:
        out.truncate(512 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", disk], check=True)


# ---- the machine ----------------------------------------------------------------
def machine(directory, kernel_root, memory):
    (image,) = kernel_root.glob("boot/vmlinuz-*")
    # loglevel: the kernel's report of an OOM kill takes longer to write than the kill.
    arguments = "console=ttyS0 quiet loglevel=1 panic=-1 psi=1 cgroup_no_v1=all"
    return ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
            "-m", str(memory), "-nodefaults", "-nographic", "-no-reboot", "-monitor", "none",
            "-kernel", image, "-initrd", directory / "root.cpio", "-append", arguments,
            "-serial", f"file:{directory}/console", "-serial", f"file:{directory}/output",
            "-drive", f"file={directory}/disk,if=none,id=disk,format=raw,cache=unsafe",
            "-device", "nvme,serial=disk,drive=disk"]


def run(directory, command, timeout):
    """The exit code of the program, or why there is none."""
    try:
        subprocess.run(command, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
        why = "the machine crashed"
    except subprocess.TimeoutExpired:
        why = f"the machine had not ended after {timeout} s"
    written = (directory / "output").read_text(errors="replace")
    ended = ENDED.search(written)
    sys.stdout.write(ENDED.sub("", written))
    sys.stdout.flush()
    return int(ended.group(1)) if ended else why


def show_console(directory):
    text = (directory / "console").read_text(errors="replace")
    lines = text.replace("\x1b", "").splitlines()  # what the BIOS writes would clear the screen
    print("end of its console:", *lines[-CONSOLE_TAIL:], sep="\n", file=sys.stderr)


def run_in_guest(options):
    lacking = [name for name in NEEDED if not shutil.which(name, path=SEARCHED)]
    if lacking or platform.machine() != "x86_64":
        raise Missing(f"needs {', '.join(lacking) or 'an x86_64 machine'}")
    kernel_root = kernel(options.cache)
    with tempfile.TemporaryDirectory(prefix="perch-vm-") as name:
        directory = pathlib.Path(name)
        make_root(directory / "root", options, kernel_root)
        make_archive(directory / "root", directory / "root.cpio")
        make_disk(directory / "disk")
        result = run(directory, machine(directory, kernel_root, options.memory), options.timeout)
        if result != 0:
            print(f"run_in_guest: {result}", file=sys.stderr)
            with contextlib.suppress(FileNotFoundError):
                show_console(directory)
    return 0 if result == 0 else 1


def absolute(name):
    return pathlib.Path(name).absolute()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--memory", type=int, default=512)
    parser.add_argument("--timeout", type=float, default=150)
    parser.add_argument("--sources", default="*")
    parser.add_argument("program", type=absolute)
    parser.add_argument("files", nargs="*", type=absolute)
    os.environ["PATH"] = SEARCHED
    try:
        return run_in_guest(parser.parse_args())
    except Missing as missing:
        required = os.environ.get("PERCH_REQUIRE_ALL") == "1"
        print(f"PERCH_REQUIRE_ALL=1, but: {missing}" if required else f"[skip] {missing}")
        return 1 if required else SKIPPED


sys.exit(main())
