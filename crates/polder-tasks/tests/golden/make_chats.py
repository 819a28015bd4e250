"""Golden renderings of chat templates, by transformers' apply_chat_template (transformers 5).

    python make_chats.py SMOLLM2        writes chats.json; SMOLLM2 is a folder with that model's tokenizer

Each case has a template, the special tokens that it may use, messages, whether an answer is asked for, and the text, or
that transformers refuses it. Dates are left out, since they change.
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

HERE = Path(__file__).parent

# Written for this test, in the manner of Llama 2: system text in the first user message, turns that must alternate.
BRACKETS = """{% if messages[0]['role'] == 'system' %}
    {% set rest = messages[1:] %}
    {% set system = messages[0]['content'].strip() %}
{% else %}
    {% set rest = messages %}
    {% set system = false %}
{% endif %}
{% for message in rest %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('user and assistant must take turns') }}
    {% endif %}
    {% if loop.index0 == 0 and system is not false %}
        {% set content = '[[SYS]]\\n' + system + '\\n[[/SYS]]\\n\\n' + message['content'] %}
    {% else %}
        {% set content = message['content'] %}
    {% endif %}
    {% if message['role'] == 'user' %}
        {{- bos_token + '[ASK] ' + content.strip() + ' [/ASK]' }}
    {% elif message['role'] == 'assistant' %}
        {{- ' ' + content | trim + ' ' + eos_token }}
    {% endif %}
{% endfor %}
"""

# Written for this test, in the manner of ChatML, with what else templates use: namespaces, methods, tests, tojson, loop
# controls, marks for training, undefined names.
MARKED = """{%- set ns = namespace(system=false, count=0) -%}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% set ns.system = true %}{% endif %}
    {%- if message.role == 'hidden' %}{% continue %}{% endif %}
    {%- if message.role == 'end' %}{% break %}{% endif %}
    {%- set ns.count = ns.count + 1 %}
{{ '<|im_start|>' ~ message.role.upper() if message.role.startswith('s') else '<|im_start|>' ~ message['role'] }}
{% if message.content is string %}
{% generation %}{{ message.content.split('</think>')[-1].lstrip('\\n') }}{% endgeneration %}<|im_end|>
{% else %}
{{ message.content | tojson }} {{ message.content | tojson(indent=2) }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if not ns.system and not tools and other is not defined %}{{ "\\n(no system, " ~ ns.count ~ ")" }}{% endif %}
{%- for key, value in (messages[0].extra or {}).items() %}{{ key }}={{ value }};{% endfor %}
{%- if add_generation_prompt %}
{{ '\\n<|im_start|>assistant\\n' -}}
{% endif %}
"""

USER, SYSTEM = {"role": "user", "content": " How far is it? "}, {"role": "system", "content": " Be brief.\n"}
TALK = [USER, {"role": "assistant", "content": "Two miles."}, {"role": "user", "content": "Thanks\n\n«é»"}]
PARTS = [{"type": "text", "text": "<a> & 'b' \"é\""}, {"n": 1, "x": 0.5, "list": [], "none": None, "yes": True}]
CONVERSATIONS = [
    [USER],
    TALK,
    [SYSTEM] + TALK,
    [SYSTEM] + TALK[:2],
    [{"role": "assistant", "content": "First."}],
    [USER, {"role": "hidden", "content": "x"}, {"role": "assistant", "content": "<think>\nhm</think>\n\nyes"},
     {"role": "end", "content": "y"}, USER],
    [{"role": "user", "content": PARTS, "extra": {"b": 1, "a": "z"}}],
]


def main():
    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")), bos_token="<s>",
                                   eos_token="</s>")
    smollm2 = AutoTokenizer.from_pretrained(sys.argv[1])
    cases = []
    for name, tokenizer, template in [("smollm2", smollm2, smollm2.chat_template), ("brackets", bare, BRACKETS),
                                      ("marked", bare, MARKED)]:
        special = {key: value for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
        texts = []
        for messages in CONVERSATIONS:
            if name != "marked" and not all(isinstance(m["content"], str) for m in messages):
                continue
            for answer in [False, True]:
                try:
                    text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False,
                                                         add_generation_prompt=answer)
                except Exception as error:
                    print(f"{name} refuses: {error}")
                    text = None
                texts.append(dict(messages=messages, answer=answer, text=text))
        # SmolLM2's template is not ours to keep: the test reads it where the model lies.
        kept = None if name == "smollm2" else template
        cases.append(dict(name=name, template=kept, special=special, texts=texts))
    (HERE / "chats.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")


main()
