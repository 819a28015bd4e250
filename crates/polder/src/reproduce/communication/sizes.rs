//! How many weights models have.

/// The sizes of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) name: &'static str,
    layers: u64,
    hidden: u64,
    /// The width of the feed-forward layers; nothing for an OPT, where it is four times the hidden one.
    gated: Option<u64>,
    /// What its checkpoint holds, where we know it.
    pub(super) published: Option<u64>,
}

const fn opt(name: &'static str, layers: u64, hidden: u64, published: Option<u64>) -> Size {
    Size { name, layers, hidden, gated: None, published }
}

const fn llama(name: &'static str, layers: u64, hidden: u64, gated: u64, published: u64) -> Size {
    Size { name, layers, hidden, gated: Some(gated), published: Some(published) }
}

/// The models of the papers. OPT-350M, which is built differently, is left out.
pub(super) const MODELS: &[Size] = &[
    opt("OPT-125M", 12, 768, Some(125_239_296)),
    opt("OPT-1.3B", 24, 2048, Some(1_315_758_080)),
    opt("OPT-2.7B", 32, 2560, None),
    opt("OPT-6.7B", 32, 4096, None),
    opt("OPT-13B", 40, 5120, None),
    opt("OPT-30B", 48, 7168, None),
    opt("OPT-66B", 64, 9216, None),
    llama("LLaMA-7B", 32, 4096, 11_008, 6_738_415_616),
    llama("LLaMA-13B", 40, 5120, 13_824, 13_015_864_320),
    llama("LLaMA-30B", 60, 6656, 17_920, 32_528_943_616),
    llama("LLaMA-65B", 80, 8192, 22_016, 65_285_660_672),
];

impl Size {
    /// The number of weights, tied ones once.
    ///
    /// OPT: embeddings of 50,272 tokens and 2,050 positions, in each layer 12h² + 13h, a last norm. LLaMA: embeddings and
    /// head of 32,000 tokens, in each layer 4h² + 3hf + 2h, a last norm.
    pub(super) fn parameters(&self) -> u64 {
        let h = self.hidden;
        match self.gated {
            None => (50_272 + 2050) * h + self.layers * (12 * h * h + 13 * h) + 2 * h,
            Some(f) => 2 * 32_000 * h + self.layers * (4 * h * h + 3 * h * f + 2 * h) + h,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Shape;

    #[test]
    fn the_formulas_count_what_the_models_expect() {
        for (name, shape) in
            [("OPT-125M", "opt-125m"), ("OPT-1.3B", "opt-1.3b"), ("OPT-13B", "opt-13b"), ("LLaMA-7B", "llama-7b")]
        {
            let size = MODELS.iter().find(|size| size.name == name).unwrap();
            let counted = Shape::named(shape).unwrap().parameters().unwrap();
            assert_eq!(size.parameters(), counted as u64, "{name}");
        }
    }
}
