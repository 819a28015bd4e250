//! What a vector unit must offer to make directions.
#![allow(unsafe_code)]

/// Vectors of `N` lanes; a value of the type proves that the machine has them.
///
/// Every operation is one correctly rounded IEEE operation (or an exact one on bits), so all implementations agree.
pub(super) trait Lanes: Copy {
    /// The number of 32-bit lanes; a divisor of 16.
    const N: usize;
    /// `N` words of 32 bits.
    type Words: Copy;
    /// `N` numbers.
    type Floats: Copy;
    /// `N/2` words of 64 bits; the generator's state, of which only the low halves count.
    type Wide: Copy;

    /// A word in the low half of every lane, 0 in the high one.
    fn wide(self, x: u32) -> Self::Wide;
    /// `first + 0, 2, 4, …` and `first + 1, 3, 5, …`, where `first` is a multiple of `N`.
    fn counters(self, first: u32) -> [Self::Wide; 2];
    /// The 64-bit products of the low halves.
    fn product(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// The high halves, moved to the low ones; what the high ones hold then does not matter.
    fn high(self, a: Self::Wide) -> Self::Wide;
    /// `a ^ b ^ c`.
    fn xor3(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide;
    /// `a ^ b`.
    fn xor(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// The low halves of both in turn.
    fn interleave(self, even: Self::Wide, odd: Self::Wide) -> Self::Words;

    /// A word in every lane.
    fn word(self, x: u32) -> Self::Words;
    /// A number in every lane.
    fn float(self, x: f32) -> Self::Floats;
    /// `a & b`.
    fn and(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// `a − b`, wrapping.
    fn minus(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// Words read as signed integers, rounded to the nearest number.
    fn signed_float(self, a: Self::Words) -> Self::Floats;
    /// The bits of numbers.
    fn words(self, a: Self::Floats) -> Self::Words;
    /// Numbers of the given bits.
    fn floats(self, a: Self::Words) -> Self::Floats;
    /// `a·b + c`, rounded once.
    fn fma(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `a − b`.
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a·b`.
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `√a`.
    fn sqrt(self, a: Self::Floats) -> Self::Floats;
    /// Whether any lane of any vector is at least `limit`.
    fn any_at_least(self, a: [Self::Floats; 4], limit: f32) -> bool;
    /// Per lane: `a ≥ limit ? yes : no`.
    fn choose_at_least(self, a: Self::Floats, limit: f32, yes: Self::Floats, no: Self::Floats) -> Self::Floats;
    /// `a` with its sign flipped where bit 31 of `w` is set.
    fn xor_sign(self, a: Self::Floats, w: Self::Words) -> Self::Floats;
    /// `a` with its sign flipped in lane `i` where bit `i` of `bits` is set.
    fn flip(self, a: Self::Floats, bits: u32) -> Self::Floats;

    /// Does nothing, but no value here is made on its other side: compilers keep the order of the text.
    #[inline(always)]
    fn pin(self, _even: &mut [Self::Wide; 4], _odd: &mut [Self::Wide; 4], _sums: &mut [Self::Floats; 4]) {}

    /// Reads `N` numbers.
    ///
    /// # Safety
    /// They are readable.
    unsafe fn load(self, at: *const f32) -> Self::Floats;
    /// Writes `N` numbers.
    ///
    /// # Safety
    /// The place is writable.
    unsafe fn store(self, at: *mut f32, a: Self::Floats);
    /// Writes `N` words.
    ///
    /// # Safety
    /// The place is writable.
    unsafe fn store_words(self, at: *mut u32, a: Self::Words);
}

/// An array of four, written out: a closure would lose the vector instructions of the function around it.
macro_rules! four {
    ($i:ident => $make:expr) => {
        [
            {
                let $i: usize = 0;
                $make
            },
            {
                let $i: usize = 1;
                $make
            },
            {
                let $i: usize = 2;
                $make
            },
            {
                let $i: usize = 3;
                $make
            },
        ]
    };
}
pub(super) use four;
