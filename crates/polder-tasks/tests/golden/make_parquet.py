"""A Parquet file with the kinds of columns that the Hub's data sets have, by pyarrow (21 or later), and its rows as JSON.

    python make_parquet.py       writes kinds.parquet and kinds.jsonl

Several row groups and pages, dictionaries and plain encodings, zstd; ARC's `choices` (a struct of lists), SQuAD's
`answers`, lists of structs and of lists, strings and large strings, nulls everywhere they may be.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
letters = ["A", "B", "C", "D"]

rows = []
for n in range(10):
    rows.append(
        {
            "id": f"row-{n}",
            "large": None if n == 3 else "é" * n,
            "repeated": letters[n % 2],
            "choices": {"text": [f"choice {i} of {n}" for i in range(n % 4)], "label": letters[: n % 4]},
            "answers": None if n == 4 else {"text": [f"answer {n}"], "answer_start": [7 * n]},
            "spans": [{"start": n, "text": "a"}, {"start": n + 1, "text": None}] if n % 3 else [],
            "nested": [[n], [], [n, n + 1]],
            "idx": {"paragraph": n, "question": 2 * n},
            "label": n % 3 - 1,
            "small": n,
            "yes": n % 2 == 0,
            "score": None if n == 5 else n / 4,
            "words": None if n == 6 else ["x", "y"][: n % 3],
        }
    )

answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
schema = pa.schema(
    [
        ("id", pa.string()),
        ("large", pa.large_string()),
        ("repeated", pa.dictionary(pa.int32(), pa.string())),
        ("choices", pa.struct([("text", pa.list_(pa.string())), ("label", pa.list_(pa.string()))])),
        ("answers", answers),
        ("spans", pa.list_(pa.struct([("start", pa.int64()), ("text", pa.string())]))),
        ("nested", pa.list_(pa.list_(pa.int16()))),
        ("idx", pa.struct([("paragraph", pa.int32()), ("question", pa.int32())])),
        ("label", pa.int64()),
        ("small", pa.uint8()),
        ("yes", pa.bool_()),
        ("score", pa.float64()),
        ("words", pa.large_list(pa.large_string())),
    ]
)
table = pa.Table.from_pylist(rows, schema=schema)
pq.write_table(table, HERE / "kinds.parquet", row_group_size=4, compression="zstd", use_dictionary=["repeated", "id"])
with open(HERE / "kinds.jsonl", "w", encoding="utf-8") as out:
    for row in table.to_pylist():
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
