//! Keys and values of sequences that grow, so that each new token costs one row.

use candle_core::{DType, Device, Tensor};
use polder_perturb::{KeysValues, Next, Reader, Span};

use crate::error::{Error, Result};
use crate::language_model::{Around, Description, LanguageModel, Stem};
use crate::tokens::Tokens;

/// What a model keeps of sequences that grow, at one point: what all of them begin with, once, and a place for each.
///
/// Every layer has one tensor of keys and one of values: the rows of the common beginning, then those of each place.
#[derive(Debug)]
pub struct Cache {
    rows: Stem,
    common: usize,
    each: usize,
    used: Vec<usize>,
}

impl Cache {
    /// Room for `places` sequences of `each` tokens after a beginning of `common` tokens that [`Cache::begin`] fills.
    ///
    /// # Errors
    /// Several points; a size beyond what can be addressed; a failing allocation.
    pub fn new(about: &Description, at: &dyn Reader, common: usize, places: usize, each: usize) -> Result<Self> {
        if at.points() != 1 {
            return Err(Error::InputStem { what: "points", found: at.points(), expected: 1 });
        }
        Self::of(about, (at.dtype(), &at.device()), common, places, each)
    }

    fn of(
        about: &Description,
        (dtype, device): (DType, &Device),
        common: usize,
        places: usize,
        each: usize,
    ) -> Result<Self> {
        let too_large = || Error::CacheSize { places, tokens: each };
        let rows = places.checked_mul(each).and_then(|rows| rows.checked_add(common)).ok_or_else(too_large)?;
        // Attention counts rows in 32 bits.
        u32::try_from(rows).map_err(|_| too_large())?;
        Self::bytes(about, common, places, each).filter(|b| *b <= isize::MAX as u64).ok_or_else(too_large)?;
        let width = about.kv_heads * about.head_dim;
        let zeros = || Tensor::zeros((rows, width), dtype, device);
        let layers = (0..about.layers).map(|_| Ok(KeysValues { keys: zeros()?, values: zeros()? }));
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self { rows: Stem { len: rows, points: 1, layers }, common, each, used: vec![0; places] })
    }

    /// The bytes of such a cache in f32: `2·layers·kv_heads·head_dim·4` a token; `None` beyond 64 bits.
    pub fn bytes(about: &Description, common: usize, places: usize, each: usize) -> Option<u64> {
        let factors = [2, about.layers, about.kv_heads, about.head_dim, 4];
        let token = factors.iter().try_fold(1u64, |all, n| all.checked_mul(*n as u64))?;
        (places as u64).checked_mul(each as u64)?.checked_add(common as u64)?.checked_mul(token)
    }

    /// How many sequences it has room for.
    pub fn places(&self) -> usize {
        self.used.len()
    }

    /// The tokens of a place's sequence so far, the common beginning included; 0 where there is no such place.
    pub fn tokens(&self, place: usize) -> usize {
        self.used.get(place).map_or(0, |used| self.common + used)
    }

    /// Whether a place's sequence has no tokens of its own yet.
    pub fn is_fresh(&self, place: usize) -> bool {
        self.used.get(place) == Some(&0)
    }

    /// Makes room for another sequence in a place: it consists of the common beginning again.
    pub fn clear(&mut self, place: usize) {
        if let Some(used) = self.used.get_mut(place) {
            *used = 0;
        }
    }

    /// Runs what all sequences begin with.
    ///
    /// # Errors
    /// Another number of tokens than there is room for; as [`LanguageModel::hidden_rows`].
    pub fn begin(&mut self, model: &dyn LanguageModel, at: &dyn Reader, ids: &[u32]) -> Result<()> {
        if ids.len() != self.common {
            return Err(Error::InputStem { what: "tokens", found: ids.len(), expected: self.common });
        }
        if ids.is_empty() {
            return Ok(());
        }
        let mut input = Tokens::after(self.rows.len);
        input.push_after(ids, Vec::new());
        let mut kept = Vec::new();
        let mut around = Around { stem: Some(&self.rows), keep: Some(&mut kept) };
        // Nothing is wanted of the last layer but its keys and values, so one row goes on after it.
        model.hidden_rows(at, &input, Some(&[0]), &mut around)?;
        self.write(&kept, 0, Span { start: 0, len: ids.len() })
    }

    /// Appends tokens to the sequences of some places, in one pass, and says what may follow each, in their order; with
    /// the logits of all tokens where `whole`.
    ///
    /// # Errors
    /// No such place, one that is named twice, more tokens than it has room for, none; as
    /// [`LanguageModel::hidden_rows`].
    pub fn extend(
        &mut self,
        model: &dyn LanguageModel,
        at: &dyn Reader,
        parts: &[(usize, &[u32])],
        whole: bool,
    ) -> Result<Vec<Next>> {
        let mut input = Tokens::after(self.rows.len);
        let (mut last, mut own) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
        for (number, (place, ids)) in parts.iter().enumerate() {
            let twice = parts[..number].iter().any(|(other, _)| other == place);
            let used = *self.used.get(*place).filter(|_| !twice).ok_or(Error::CachePlace { place: *place })?;
            if ids.is_empty() {
                return Err(Error::InputEmpty);
            }
            if ids.len() > self.each - used {
                return Err(Error::CacheFull { place: *place, tokens: ids.len(), room: self.each - used });
            }
            let start = self.common + place * self.each;
            let before = [Span { start: 0, len: self.common }, Span { start, len: used }];
            let rows = input.push_after(ids, before.into_iter().filter(|span| span.len > 0).collect());
            last.push((rows.start + rows.len - 1) as u32);
            own.push((rows, start + used));
        }
        let mut kept = Vec::new();
        let mut around = Around { stem: Some(&self.rows), keep: Some(&mut kept) };
        let rows = if last.len() == input.rows() { None } else { Some(last.as_slice()) };
        let hidden = model.hidden_rows(at, &input, rows, &mut around)?;
        let next = at.next(&hidden, model.head(), whole)?;
        for (rows, to) in own {
            self.write(&kept, to, rows)?;
        }
        for (place, ids) in parts {
            self.used[*place] += ids.len();
        }
        Ok(next)
    }

    /// Writes rows of a pass to the rows from `to` on.
    fn write(&self, kept: &[KeysValues], to: usize, rows: Span) -> Result<()> {
        for (layer, new) in self.rows.layers.iter().zip(kept) {
            layer.keys.slice_set(&new.keys.narrow(0, rows.start, rows.len)?.contiguous()?, 0, to)?;
            layer.values.slice_set(&new.values.narrow(0, rows.start, rows.len)?.contiguous()?, 0, to)?;
        }
        Ok(())
    }
}
