"""Loads a published model from a Hub by its id, and a local folder, and compares them.

    published.py ENDPOINT ID FOLDER    prints {"difference": largest difference of logits, "largest": largest logit, …}
"""

import json
import os
import sys

endpoint, model_id, folder = sys.argv[1:]
os.environ["HF_ENDPOINT"] = endpoint
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

torch.manual_seed(0)
ids = torch.tensor([[1, 2, 3, 5, 8, 13]])
published, local = (AutoModelForCausalLM.from_pretrained(name).eval() for name in (model_id, folder))
with torch.no_grad():
    ours, theirs = published(ids).logits, local(ids).logits
text = "a film of rare warmth"
json.dump(
    {
        "difference": (ours - theirs).abs().max().item(),
        "largest": theirs.abs().max().item(),
        "tokens": AutoTokenizer.from_pretrained(model_id)(text)["input_ids"] == AutoTokenizer.from_pretrained(folder)(text)["input_ids"],
    },
    sys.stdout,
)
