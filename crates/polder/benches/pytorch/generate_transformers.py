"""Tokens that `transformers` generates greedily after the prompts of a file (one a line), all in one batch.

    python generate_transformers.py MODEL PROMPTS --new 64 [--dtype f32] [--threads 2]

Prompts are padded on the left, as its documentation says; a few tokens are generated once before the clock starts. Prints
one JSON object: seconds (neither loading nor tokenising), and the new tokens of every prompt.
"""

import argparse
import json
import pathlib
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a Hugging Face folder")
    parser.add_argument("prompts", type=pathlib.Path)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
    inputs = tokenizer(args.prompts.read_text(encoding="utf-8").splitlines(), return_tensors="pt", padding=True)
    model.generate(**inputs, do_sample=False, max_new_tokens=4)
    start = time.perf_counter()
    out = model.generate(**inputs, do_sample=False, max_new_tokens=args.new)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "ids": out[:, inputs.input_ids.shape[1] :].tolist()}))


main()
