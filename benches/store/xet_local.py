"""The Xet client with its local store in place of Hugging Face's: `xet_local.py add|restore STORE LIST PATH…`.

The list holds what a repository would hold of each file: its hash and its length.
"""

import json
import sys
from pathlib import Path

import hf_xet


def files_below(path):
    path = Path(path)
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def main(act, store, list_path, *paths):
    session, endpoint = hf_xet.XetSession(), f"local://{store}"
    if act == "add":
        with session.new_upload_commit(endpoint=endpoint) as commit:
            files = [file for path in paths for file in files_below(path)]
            uploads = [commit.start_upload_file(str(file.absolute()), sha256=hf_xet.SKIP_SHA256) for file in files]
        infos = [upload.result().xet_info for upload in uploads]
        known = {str(file): [info.hash, info.file_size] for file, info in zip(files, infos)}
        Path(list_path).write_text(json.dumps(known))
    elif act == "restore":
        known = json.loads(Path(list_path).read_text())
        with session.new_file_download_group(endpoint=endpoint) as group:
            for file, (content, size) in known.items():
                Path(file).parent.mkdir(parents=True, exist_ok=True)
                group.start_download_file(hf_xet.XetFileInfo(content, size), str(Path(file).absolute()))
    else:
        sys.exit(f"unknown act {act}")


main(*sys.argv[1:])
