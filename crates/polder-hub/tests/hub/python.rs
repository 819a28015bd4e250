//! `huggingface_hub` against the test server and on the same cache, so that neither drifts from the real interface.
