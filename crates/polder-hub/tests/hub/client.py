"""What `huggingface_hub` does with a server: publishes a folder, downloads what polder published, and finds what
polder fetched in the cache. Prints one JSON object.

Run by python.rs with: endpoint, token, a folder to publish, a cache of its own, the cache of polder.
"""

import hashlib
import json
import os
import sys

endpoint, token, folder, own, shared = sys.argv[1:]
os.environ["HF_ENDPOINT"] = endpoint
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import huggingface_hub  # noqa: E402
from huggingface_hub import CommitOperationAdd, HfApi, snapshot_download  # noqa: E402
from huggingface_hub.errors import RepositoryNotFoundError  # noqa: E402


def hashes(path):
    found = {}
    for root, _, names in os.walk(path):
        for name in names:
            file = os.path.join(root, name)
            found[os.path.relpath(file, path)] = hashlib.sha256(open(file, "rb").read()).hexdigest()
    return found


api = HfApi(endpoint=endpoint, token=token)
said = {"version": huggingface_hub.__version__, "name": api.whoami()["name"]}
api.create_repo("polder/python", private=True)
api.create_repo("polder/python", private=True, exist_ok=True)
said["uploaded"] = api.upload_folder(repo_id="polder/python", folder_path=folder, commit_message="by python").oid
# What is there already is not sent again, and a second commit stands on the first.
said["again"] = api.upload_folder(repo_id="polder/python", folder_path=folder, commit_message="once more").oid
said["commit"] = api.create_commit(
    repo_id="polder/python",
    operations=[CommitOperationAdd("sub/note.txt", b"a note")],
    commit_message="a note",
    parent_commit=said["again"],
).oid
said["files"] = sorted(api.list_repo_files("polder/python"))
try:
    HfApi(endpoint=endpoint, token=False).model_info("polder/python")
    said["private"] = False
except RepositoryNotFoundError:
    said["private"] = True

options = {"endpoint": endpoint, "token": token, "cache_dir": own}
said["downloaded"] = hashes(snapshot_download("polder/rust", **options))
snapshot_download("polder/python", **options)
# No network: what polder fetched, by the branch and by the files that it chose.
wanted = ["*.json", "*.safetensors"]
said["found"] = hashes(snapshot_download("o/n", cache_dir=shared, local_files_only=True, allow_patterns=wanted))
json.dump(said, sys.stdout)
