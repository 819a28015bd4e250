"""What llama.cpp makes of a GGUF file: prints one JSON list, an object a text.

    python see_llama_cpp.py FILE TEXT...

Needs the package xllamacpp, which brings a built llama.cpp. Of each text: its token ids, and the twenty tokens most
likely after it with their log-probabilities. Keys and values are kept in f32, attention is computed plainly.
"""

import json
import sys
import urllib.request

import xllamacpp as x

params = x.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel, params.warmup = 256, 1, False
params.cache_type_k = params.cache_type_v = x.ggml_type.GGML_TYPE_F32
params.flash_attn_type = x.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
params.n_gpu_layers = 0
server = x.Server(params)


def tokenize(text):
    body = json.dumps({"content": text, "add_special": True, "parse_special": True}).encode()
    request = urllib.request.Request(server.listening_address + "/tokenize", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())["tokens"]


def top(ids):
    # Of a text's end or half of a character nothing would be said, so a letter is forced; what is read are the raw
    # probabilities, without that.
    asked = {"prompt": ids, "n_predict": 1, "n_probs": 20, "temperature": -1, "cache_prompt": False}
    asked["logit_bias"] = [[tokenize("a")[-1], 1000]]
    seen = server.handle_completions(asked)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    return [[token["id"], token["logprob"]] for token in seen]


answers = []
for text in sys.argv[2:]:
    ids = tokenize(text)
    answers.append({"ids": ids, "top": top(ids)})
print("\n" + json.dumps(answers), flush=True)
