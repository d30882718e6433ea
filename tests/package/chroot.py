# SPDX-License-Identifier: Apache-2.0
"""A Debian of its own for a test: the least one, made by debootstrap once, then unpacked for each
test. Packages come from where this machine's own apt takes them, with its settings."""
import os
import re
import shutil
import subprocess
import tempfile

CODENAME = "bookworm"
# In the namespaces of one command: what a system mounts, and the end of all that it started.
ENTER = ('mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && '
         'exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive '
         '"$@"')


class Unavailable(Exception):
    """What a chroot needs and cannot be had here."""


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def attempt(what, command, **options):
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise Unavailable(f"{what}: {' '.join(done.stdout.splitlines()[-2:])}")


def mirror():
    """Where this machine's apt has Debian's main section from."""
    for line in output("apt-get", "indextargets", "--format",
                       "$(SITE) $(CODENAME) $(COMPONENT)").splitlines():
        site, *names = line.split()
        if names == [CODENAME, "main"]:
            return site
    raise Unavailable(f"this machine's apt has no {CODENAME}; run apt-get update")


def proxies():
    """The proxies of this machine's apt, as debootstrap wants them."""
    settings = re.findall(r'^Acquire::(https?)::Proxy "(.+)";$', output("apt-config", "dump"),
                          re.MULTILINE)
    return {f"{scheme}_proxy": url for scheme, url in settings if url != "DIRECT"}


def base(tarball):
    """Makes the tarball where it is missing."""
    if os.path.exists(tarball):
        return
    os.makedirs(os.path.dirname(tarball), exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        attempt("debootstrap", ["debootstrap", "--variant=minbase", CODENAME, f"{place}/root",
                                mirror()], env=os.environ | proxies())
        subprocess.run(["chroot", f"{place}/root", "apt-get", "clean"], check=True)
        attempt("tar", ["tar", "--create", "--file", f"{tarball}.new", "--directory",
                        f"{place}/root", "."])
    os.rename(f"{tarball}.new", tarball)


class Chroot:
    """For as long as a with block runs; the directory is its path."""

    def __init__(self, tarball):
        base(tarball)
        self.path = tempfile.mkdtemp(prefix="pd-", dir="/tmp")
        try:
            attempt("tar", ["tar", "--extract", "--file", tarball, "--directory", self.path])
        except Unavailable:
            self.close()
            raise

    def close(self):
        shutil.rmtree(self.path)

    def command(self, *command):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER,
                self.path, *command]

    def run(self, *command):
        return subprocess.run(self.command(*command), check=False, capture_output=True, text=True,
                              timeout=120)

    def dependencies(self, packages, cache):
        """Paths of the packages that these files need beyond what is installed."""
        options = [f"-oDir::State::status={self.path}/var/lib/dpkg/status",
                   f"-oDir::Cache::archives={cache}", "-oDebug::NoLocking=1",
                   "-oAPT::Sandbox::User=root", "-oAPT::Install-Recommends=0", "-q", "-y"]
        os.makedirs(f"{cache}/partial", exist_ok=True)
        attempt("apt-get", ["apt-get", *options, "--download-only", "install", *packages])
        told = output("apt-get", *options, "--simulate", "install", *packages)
        wanted = tuple(f"{name}_{version.replace(':', '%3a')}_" for name, version
                       in re.findall(r"^Inst (\S+) \((\S+) ", told, re.MULTILINE))
        return [f"{cache}/{file}" for file in sorted(os.listdir(cache)) if file.startswith(wanted)]

    def install(self, files):
        os.makedirs(f"{self.path}/srv/packages", exist_ok=True)
        for file in files:
            shutil.copy(file, f"{self.path}/srv/packages")
        inside = [f"/srv/packages/{os.path.basename(file)}" for file in files]
        done = self.run("dpkg", "--install", *inside)
        shutil.rmtree(f"{self.path}/srv/packages")
        return done

    def files(self):
        """Every path, but for the records that dpkg and apt themselves keep."""
        found = set()
        for directory, names, files in os.walk(self.path):
            inside = directory.removeprefix(self.path)
            if inside in ("/var/lib/dpkg", "/var/log", "/var/cache", "/proc", "/dev", "/run"):
                names.clear()
                continue
            found |= {f"{inside}/{name}" for name in names + files}
        return found
