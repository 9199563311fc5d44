"""How each store is asked for the same thing, in its usual local way.

Every peer works in `work`, where the data lies below `data/`, and keeps all else below `folder`. An act is a list of
commands; it is None if the peer has no such act. What prepares or records an act is not measured.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


class Peer:
    name = ""
    # below `folder`: where what is stored lies
    store = ""
    driven = ""

    def __init__(self, folder, keeps_removed=False):
        self.keeps_removed = keeps_removed
        self.folder, self.work = folder, folder / "work"
        self.data = self.work / "data"
        self.data.mkdir(parents=True)
        (folder / "home").mkdir()
        self.environment = dict(os.environ) | {
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "home/cache"),
            "XDG_CONFIG_HOME": str(folder / "home/config"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
        } | self.variables()
        self.setup()

    def variables(self):
        return {}

    def setup(self):
        pass

    def do(self, *command):
        """What is not measured."""
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=self.work, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(words)}` failed: {(done.stderr + done.stdout).strip()[-400:]}")
        return done.stdout

    def before_add(self, version, paths):
        pass

    def after_add(self, version, paths):
        pass

    def status(self):
        return None

    def before_restore(self, version):
        """The folder that a version comes into is empty."""
        if self.keeps_removed:
            # ext4 takes no inode that was freed minutes ago: among many it searches long for each new file, whoever asks
            self.data.rename(self.folder / f"before-{version}")
        else:
            shutil.rmtree(self.data)
        self.data.mkdir()

    def push(self, version, paths):
        """Sends the version to a remote in a folder; what `clone` brings comes from there."""

    def clone(self, version, paths, folder):
        """What a colleague types in a new clone of the Git repository, which is in `folder` when this returns."""
        return None

    def verify(self):
        return None


class Stemma(Peer):
    name, store = "stemma", "work/.stemma"
    binary = "stemma"

    @classmethod
    def version(cls):
        return output(cls.binary, "--version")

    def variables(self):
        return {"STEMMA_CONFIG_DIR": str(self.folder / "config")}

    def setup(self):
        self.do(self.binary, "init", "--as", "bench@example.org")
        self.do(self.binary, "remote", "add", "origin", self.folder / "remote")

    def add(self, version, paths):
        return [[self.binary, "add", *paths]]

    def after_add(self, version, paths):
        shutil.copy(self.work / "stemma.lock", self.folder / f"lock-{version}")

    def status(self):
        return [[self.binary, "status"]]

    def before_restore(self, version):
        super().before_restore(version)
        shutil.copy(self.folder / f"lock-{version}", self.work / "stemma.lock")

    def restore(self, version, paths):
        return [[self.binary, "checkout", *paths]]

    def push(self, version, paths):
        self.do(self.binary, "push")

    def clone(self, version, paths, folder):
        folder.mkdir()
        shutil.copy(self.work / "stemma.toml", folder)
        shutil.copy(self.folder / f"lock-{version}", folder / "stemma.lock")
        return [[self.binary, "pull", *paths], [self.binary, "checkout", *paths]]

    def verify(self):
        return [[self.binary, "verify"]]


class Dvc(Peer):
    name, store = "dvc", "work/.dvc"
    program = [sys.executable, "-m", "dvc"]

    @classmethod
    def version(cls):
        return "dvc " + output(*cls.program, "--version")

    def variables(self):
        return {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.folder / "home/dvc-site")}

    def setup(self):
        self.do("git", "init", "-q")
        self.do(*self.program, "init", "-q")
        self.do(*self.program, "config", "core.analytics", "false")
        self.do(*self.program, "remote", "add", "-q", "-d", "origin", self.folder / "remote")

    def pointers(self, paths):
        return [path + ".dvc" for path in paths]

    def add(self, version, paths):
        return [[*self.program, "add", "-q", *paths]]

    def before_add(self, version, paths):
        for pointer in self.data.glob("*.dvc"):
            if not pointer.with_suffix("").exists():
                pointer.unlink()

    def after_add(self, version, paths):
        kept = self.folder / f"pointers-{version}"
        kept.mkdir()
        for pointer in self.pointers(paths):
            shutil.copy(self.work / pointer, kept)

    def status(self):
        return [[*self.program, "status"]]

    def before_restore(self, version):
        super().before_restore(version)
        shutil.copytree(self.folder / f"pointers-{version}", self.data, dirs_exist_ok=True)

    def restore(self, version, paths):
        return [[*self.program, "checkout", "-q", *self.pointers(paths)]]

    def push(self, version, paths):
        self.do(*self.program, "push", "-q", *self.pointers(paths))

    def clone(self, version, paths, folder):
        shutil.copytree(self.folder / f"pointers-{version}", folder / "data")
        (folder / ".dvc").mkdir()
        shutil.copy(self.work / ".dvc/config", folder / ".dvc")
        self.do("git", "init", "-q", folder)
        # what dvc knows of the machine beside the clone
        self.environment["DVC_SITE_CACHE_DIR"] = str(folder) + "-site"
        return [[*self.program, "pull", "-q"]]


class GitLfs(Peer):
    name, store = "git-lfs", "work/.git"

    @classmethod
    def version(cls):
        return output("git", "lfs", "version").split(" ")[0] + ", " + output("git", "--version")

    def setup(self):
        self.do("git", "init", "-q")
        self.do("git", "config", "user.name", "Bench")
        self.do("git", "config", "user.email", "bench@example.org")
        self.do("git", "lfs", "install", "--local")
        self.do("git", "init", "-q", "--bare", self.folder / "remote")
        self.do("git", "remote", "add", "origin", f"file://{self.folder}/remote")
        (self.work / ".gitattributes").write_text("data/** filter=lfs diff=lfs merge=lfs -text\n")

    def add(self, version, paths):
        return [["git", "add", "data"]]

    def after_add(self, version, paths):
        self.do("git", "add", ".gitattributes")
        self.do("git", "commit", "-q", "-m", version)
        self.do("git", "tag", version)

    def status(self):
        return [["git", "status", "--porcelain"]]

    def restore(self, version, paths):
        return [["git", "checkout", "-q", version, "--", "data"]]

    def push(self, version, paths):
        self.do("git", "push", "-q", "origin", version)

    def clone(self, version, paths, folder):
        self.do("env", "GIT_LFS_SKIP_SMUDGE=1", "git", "clone", "-q", "-b", version, f"file://{self.folder}/remote", folder)
        self.do("git", "-C", folder, "lfs", "install", "--local", "--skip-smudge")
        return [["git", "lfs", "pull"]]

    def verify(self):
        return [["git", "lfs", "fsck"]]


class Restic(Peer):
    name, store = "restic", "repository"

    @classmethod
    def version(cls):
        return " ".join(output("restic", "version").split(" ")[:2])

    def variables(self):
        return {
            "RESTIC_REPOSITORY": str(self.folder / "repository"),
            "RESTIC_PASSWORD": "bench",
            "RESTIC_CACHE_DIR": str(self.folder / "home/restic"),
        }

    def setup(self):
        self.do("restic", "init", "-q")

    def add(self, version, paths):
        return [["restic", "backup", "-q", "--tag", version, "data"]]

    def restore(self, version, paths):
        snapshots = json.loads(self.do("restic", "snapshots", "--json", "--tag", version))
        return [["restic", "restore", "-q", snapshots[-1]["id"], "--target", "."]]

    def clone(self, version, paths, folder):
        """Its repository is where others would read it; they have no cache of it."""
        folder.mkdir()
        commands = self.restore(version, paths)
        self.environment["RESTIC_CACHE_DIR"] = str(folder) + "-cache"
        return commands

    def verify(self):
        return [["restic", "check", "-q", "--read-data"]]


class Oxen(Peer):
    name, store = "oxen", "work/.oxen"
    program = [sys.executable, str(HERE / "oxen_local.py")]

    @classmethod
    def version(cls):
        return "oxenai " + package_version("oxenai")

    def variables(self):
        return {"OXEN_CONFIG_DIR": str(self.folder / "home/oxen")}

    def setup(self):
        self.do(*self.program, "init", self.work)

    def add(self, version, paths):
        return [[*self.program, "add", str(self.work), version, *paths]]

    def status(self):
        return [[*self.program, "status", str(self.work)]]

    def restore(self, version, paths):
        return [[*self.program, "restore", str(self.work), version, *paths]]


class HfXet(Peer):
    name, store = "hf-xet", "cas"
    program = [sys.executable, str(HERE / "xet_local.py")]

    @classmethod
    def version(cls):
        return "hf_xet " + package_version("hf_xet")

    def variables(self):
        return {"HF_HOME": str(self.folder / "home/hf")}

    def setup(self):
        (self.folder / "cas").mkdir()

    def listed(self, version):
        return [str(self.folder / "cas"), str(self.folder / f"xet-{version}")]

    def add(self, version, paths):
        return [[*self.program, "add", *self.listed(version), *paths]]

    def restore(self, version, paths):
        return [[*self.program, "restore", *self.listed(version)]]


PEERS = {peer.name: peer for peer in (Stemma, Dvc, GitLfs, Restic, Oxen, HfXet)}


def output(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def package_version(name):
    from importlib.metadata import version

    return version(name)
