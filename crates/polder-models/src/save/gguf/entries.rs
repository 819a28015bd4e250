//! The metadata of a GGUF file in the making.

/// Type numbers of metadata values.
mod kind {
    pub(super) const U32: u32 = 4;
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const TEXT: u32 = 8;
    pub(super) const LIST: u32 = 9;
}

/// Keys in their order, each with its value's type and bytes.
#[derive(Default)]
pub(super) struct Entries(Vec<(String, Vec<u8>)>);

impl Entries {
    /// What another file had.
    pub(super) fn of(entries: Vec<(String, Vec<u8>)>) -> Self {
        Self(entries)
    }

    /// Puts a value in the place of the key's earlier one, or at the end.
    fn put(&mut self, key: &str, kind: u32, value: &[u8]) {
        let bytes = [&kind.to_le_bytes()[..], value].concat();
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = bytes,
            None => self.0.push((key.to_owned(), bytes)),
        }
    }

    /// A number that counts something.
    pub(super) fn u32(&mut self, key: &str, value: u32) {
        self.put(key, kind::U32, &value.to_le_bytes());
    }

    /// A number.
    pub(super) fn f32(&mut self, key: &str, value: f64) {
        self.put(key, kind::F32, &(value as f32).to_le_bytes());
    }

    /// A truth value.
    pub(super) fn bool(&mut self, key: &str, value: bool) {
        self.put(key, kind::BOOL, &[u8::from(value)]);
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        let mut bytes = Vec::with_capacity(8 + value.len());
        text(&mut bytes, value);
        self.put(key, kind::TEXT, &bytes);
    }

    /// A list of texts.
    pub(super) fn texts<S: AsRef<str>>(&mut self, key: &str, values: impl ExactSizeIterator<Item = S>) {
        let mut bytes = list(kind::TEXT, values.len());
        values.for_each(|value| text(&mut bytes, value.as_ref()));
        self.put(key, kind::LIST, &bytes);
    }

    /// A list of numbers.
    pub(super) fn f32s(&mut self, key: &str, values: &[f32]) {
        let mut bytes = list(kind::F32, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.put(key, kind::LIST, &bytes);
    }

    /// A list of whole numbers.
    pub(super) fn i32s(&mut self, key: &str, values: &[i32]) {
        let mut bytes = list(kind::I32, values.len());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.put(key, kind::LIST, &bytes);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends them as the file has them.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        for (key, bytes) in &self.0 {
            text(to, key);
            to.extend(bytes);
        }
    }
}

fn list(kind: u32, len: usize) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(len as u64).to_le_bytes()].concat()
}

/// A length and the bytes of a text.
pub(super) fn text(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u64).to_le_bytes());
    to.extend(text.as_bytes());
}
