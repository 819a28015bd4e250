"""Golden tokenisations, by transformers' own tokenizer classes (transformers 5, tokenizers 0.22 or later).

    python make_tokens.py                 writes kinds.json: a small trained vocabulary, tokenised as GPT-2, SmolLM2,
                                          LLaMA 3 and Qwen2 do it
    python make_tokens.py FOLDER          also smollm2.json, with the tokenizer of a SmolLM2 folder
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, GPT2Tokenizer, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter

HERE = Path(__file__).parent
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER = "<tool_call>"

TEXTS = [
    "Hello world",
    " leading space and  two  spaces",
    "trailing space ",
    "tabs\tand\nnewlines\n\n\nand \r\n carriage",
    "   \n   ",
    "In 1984, 12345678 people paid $3.50 (or 1,000,000 yen)!",
    "it's I'll we've THEY'RE don't 'S 'll",
    "naïve café — “quoted” … e\u0301tude cafe\u0301",
    "日本語のテキスト と emoji 🙂👩‍👩‍👧",
    "<|im_start|>user\nHi there<|im_end|>\n<|endoftext|>after",
    "a<tool_call>b <tool_call> c",
    "x" * 40 + "!!!???...---___",
    "١٢٣٤ ½ ²³ Ⅷ",
    "terrible, great; a gripping movie . the the the",
    "\u00a0nbsp\u2003em\u3000ideographic",
    "",
]

CORPUS = [
    "the movie was great and the acting was terrible , but it's a gripping story .",
    "In 1984 there were 12345 people; 1000 of them paid 3.50 for the naïve café étude.",
    "Hello world, hello there, they'll don't we've I'm user assistant after before",
    "<tool_call> def f(x):\n    return x + 1\n\n\tprint(f(2))\r\n",
] * 20


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocab = model["vocab"]
    # A whole word that no merge makes: LLaMA 3 looks words up before it merges.
    vocab["Ġxyzzy"] = len(vocab)
    for token in [*SPECIAL, USER]:
        vocab[token] = len(vocab)
    return vocab, [tuple(m) for m in model["merges"]]


def add(tokenizer):
    from tokenizers import AddedToken

    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(USER, normalized=False, special=False)])
    return tokenizer


def kinds(vocab, merges):
    gpt2 = GPT2Tokenizer(vocab=dict(vocab), merges=list(merges))._tokenizer
    qwen2 = Qwen2Tokenizer(vocab=dict(vocab), merges=list(merges))._tokenizer
    smollm = Tokenizer(models.BPE(vocab=dict(vocab), merges=list(merges)))
    smollm.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    smollm.decoder = decoders.ByteLevel()

    class Llama3(TikTokenConverter):
        def tokenizer(self):
            return Tokenizer(models.BPE(vocab=dict(vocab), merges=list(merges), ignore_merges=True))

    llama3 = Llama3().converted()
    bos = SPECIAL[0]
    llama3.post_processor = processors.TemplateProcessing(
        single=f"{bos}:0 $A:0", pair=f"{bos}:0 $A:0 {bos}:1 $B:1", special_tokens=[(bos, vocab[bos])]
    )
    return {"gpt-2": gpt2, "smollm": smollm, "llama-bpe": llama3, "qwen2": qwen2}


def cases(encode, decode):
    return [{"text": t, "ids": (ids := encode(t)), "decoded": decode(ids)} for t in TEXTS + ["great! xyzzy great!"]]


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=True, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    vocab, merges = train()
    golden = {"tokens": [t for t, _ in sorted(vocab.items(), key=lambda x: x[1])], "merges": [" ".join(m) for m in merges]}
    golden["special"], golden["user"] = SPECIAL, USER
    golden["kinds"] = {
        name: cases(lambda t, k=add(kind): k.encode(t).ids, lambda i, k=kind: k.decode(i, skip_special_tokens=True))
        for name, kind in kinds(vocab, merges).items()
    }
    write("kinds.json", golden)
    if len(sys.argv) > 1:
        real = AutoTokenizer.from_pretrained(sys.argv[1])
        write("smollm2.json", cases(lambda t: real(t)["input_ids"], lambda i: real.decode(i, skip_special_tokens=True)))
