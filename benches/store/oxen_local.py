"""Oxen through its Python package, which is its own Rust library: `oxen_local.py ACT REPOSITORY …`."""

import sys
from pathlib import Path

import oxen


def main(act, repository, *rest):
    if act == "init":
        oxen.user.config_user("Bench", "bench@example.org")
        oxen.init(repository)
        return
    repo = oxen.Repo(repository)
    if act == "add":
        version, *paths = rest
        for path in paths:
            repo.add(str(Path(repository, path)))
        commit = repo.commit(version)
        Path(repository).with_name(f"oxen-{version}").write_text(commit.id)
    elif act == "status":
        print(repo.status())
    elif act == "restore":
        version, *paths = rest
        commit = Path(repository).with_name(f"oxen-{version}").read_text()
        for path in paths:
            repo.restore(path, source=commit)
    else:
        sys.exit(f"unknown act {act}")


main(*sys.argv[1:])
