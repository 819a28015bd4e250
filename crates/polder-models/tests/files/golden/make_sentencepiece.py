"""Golden tokenisations of a small SentencePiece vocabulary as LLaMA 1 and 2 and Mistral have one, by sentencepiece itself.

    python make_sentencepiece.py          writes sentencepiece.json (sentencepiece 0.2, transformers 5, tokenizers 0.22 or later)

Texts with special tokens are not sentencepiece's affair; those are tokenised by the tokenizers library from a tokenizer.json
of the form in which LLaMA 2 was published, whose merges are transformers'.
"""

import io
import json
import tempfile
from pathlib import Path

import sentencepiece
from make_tokens import CORPUS, TEXTS
from tokenizers import Tokenizer
from transformers import LlamaTokenizerFast

HERE = Path(__file__).parent
SPECIAL = ["<unk>", "<s>", "</s>"]
WITH_SPECIAL = ["a <s> b", "<s>a</s>", "</s> two  </s>\n", "<s><s> x", "user</s><s>Hello", "<unk> the <unk>"]


def train():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*CORPUS, "two  spaces and   three , the   end"]),
        model_writer=model,
        model_type="bpe",
        vocab_size=440,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        character_coverage=1.0,
        minloglevel=2,
    )
    return model.getvalue()


def type_of(processor, piece):
    # As GGUF numbers them: normal, unknown, control, unused, byte.
    if processor.is_unknown(piece):
        return 2
    if processor.is_control(piece):
        return 3
    if processor.is_unused(piece):
        return 5
    return 6 if processor.is_byte(piece) else 1


def merges_of(model):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tokenizer.model").write_bytes(model)
        Path(folder, "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
        tokenizer = LlamaTokenizerFast.from_pretrained(folder)
        return json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]


def published(tokens, merges):
    """A tokenizer.json as LLaMA 2's."""
    added = [
        {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, t in enumerate(SPECIAL)
    ]
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    of = lambda name, number: {"Sequence": {"id": name, "type_id": number}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, of("A", 0)],
            "pair": [bos, of("A", 0), {"SpecialToken": {"id": "<s>", "type_id": 1}}, of("B", 1)],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": merges,
        },
    }


def main():
    model = train()
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = range(processor.get_piece_size())
    tokens = [processor.id_to_piece(i) for i in pieces]
    assert tokens[:3] == SPECIAL
    whole = published(tokens, merges_of(model))
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    cases = []
    for text in [t for t in TEXTS if "<|" not in t and "<tool" not in t]:
        ids = [1, *processor.encode(text)]
        assert tokenizer.encode(text).ids == ids, text
        cases.append({"text": text, "ids": ids, "decoded": processor.decode(ids)})
    special = []
    for text in WITH_SPECIAL:
        ids = tokenizer.encode(text).ids
        special.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})
    golden = {
        "tokens": tokens,
        "scores": [processor.get_score(i) for i in pieces],
        "types": [type_of(processor, i) for i in pieces],
        "tokenizer.json": whole,
        "cases": cases,
        "special": special,
    }
    (HERE / "sentencepiece.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
    print(len(tokens), len(cases), len(special))


if __name__ == "__main__":
    main()
