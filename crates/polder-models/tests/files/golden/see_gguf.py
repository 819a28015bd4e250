"""What Python's gguf package finds in a GGUF file: prints one JSON object.

    python see_gguf.py FILE

Of each tensor: shape (slowest axis first), type, the SHA-256 of its bytes, and, where it is F32, of the bytes that the
package's own quantisation makes of it in every type.
"""

import hashlib
import json
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, LlamaFileType, quants


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


reader = GGUFReader(sys.argv[1])
fields = {name: field.contents() for name, field in reader.fields.items()}
fields["file_type"] = LlamaFileType(fields["general.file_type"]).name
tensors = {}
for tensor in reader.tensors:
    shape = [int(n) for n in reversed(tensor.shape)]
    seen = {"shape": shape, "type": tensor.tensor_type.name, "sha256": digest(tensor.data)}
    if tensor.tensor_type == GGMLQuantizationType.F32:
        values = np.array(tensor.data, dtype=np.float32).reshape(shape)
        for kind in ["F32", "F16", "BF16", "Q8_0"]:
            if kind == "Q8_0" and shape[-1] % 32:
                continue
            seen[kind] = digest(quants.quantize(values, GGMLQuantizationType[kind]))
    tensors[tensor.name] = seen
print(json.dumps({"fields": fields, "tensors": tensors}))
