//! Which token comes next.

use polder_perturb::Next;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Sampling;

/// Chooses a sequence's tokens: the likeliest, or drawn from a stream of random numbers that belongs to the sequence.
///
/// The stream is ChaCha8 under the key `seed (8 bytes, little-endian) ‖ prompt (8 bytes) ‖ "polder/samples/1"`; each token
/// takes its next 64 bits r as the number `⌊r / 2¹¹⌋·2⁻⁵³`.
#[derive(Debug)]
pub struct Chooser {
    drawn: Option<(Sampling, ChaCha8Rng)>,
}

impl Chooser {
    /// The chooser of a prompt, by its number.
    pub fn new(sampling: Option<Sampling>, prompt: u64) -> Self {
        let drawn = sampling.map(|sampling| {
            let mut key = [0u8; 32];
            key[..8].copy_from_slice(&sampling.seed.to_le_bytes());
            key[8..16].copy_from_slice(&prompt.to_le_bytes());
            key[16..].copy_from_slice(b"polder/samples/1");
            (sampling, ChaCha8Rng::from_seed(key))
        });
        Self { drawn }
    }

    /// The token, and its log-probability in nats; `next` has the logits of all tokens where one is drawn. `None` where
    /// the logits are no numbers.
    pub fn choose(&mut self, next: &Next) -> Option<(u32, f64)> {
        if next.logit.is_nan() || !next.log_sum.is_finite() {
            return None;
        }
        let (token, logit) = match &mut self.drawn {
            None => (next.token, next.logit),
            Some((sampling, random)) => {
                let share = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                let token = draw(&next.logits, sampling, share)?;
                (token, *next.logits.get(token as usize)?)
            }
        };
        Some((token, f64::from(logit) - next.log_sum))
    }
}

/// The token at `share` of the way through the candidates, the likeliest first, equal ones by their ids.
fn draw(logits: &[f32], sampling: &Sampling, share: f64) -> Option<u32> {
    let mut order: Vec<u32> = (0..).zip(logits).map(|(id, _)| id).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    let kept = sampling.top_k.unwrap_or(order.len()).clamp(1, order.len().max(1));
    if kept < order.len() {
        order.select_nth_unstable_by(kept - 1, by_logit);
        order.truncate(kept);
    }
    order.sort_unstable_by(by_logit);
    let top = f64::from(*logits.get(*order.first()? as usize)?);
    let weight = |id: &u32| ((f64::from(logits[*id as usize]) - top) / sampling.temperature).exp();
    let mut weights: Vec<f64> = order.iter().map(weight).collect();
    if let Some(top_p) = sampling.top_p {
        let enough = top_p * weights.iter().sum::<f64>();
        let mut sum = 0.0;
        let reached = weights.iter().position(|w| {
            sum += w;
            sum >= enough
        });
        weights.truncate(reached.map_or(weights.len(), |at| at + 1));
    }
    let wanted = share * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let at = weights.iter().position(|w| {
        sum += w;
        sum > wanted
    });
    // Rounding may leave the sum just below; the last candidate is meant then.
    order.get(at.unwrap_or(weights.len().checked_sub(1)?)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Sampling {
        Sampling { temperature, top_k, top_p, seed: 7 }
    }

    /// Logits of the probabilities 0.1, 0.4, 0.3, 0.2.
    fn logits() -> Vec<f32> {
        [0.1f32, 0.4, 0.3, 0.2].map(f32::ln).to_vec()
    }

    #[test]
    fn shares_fall_on_tokens_by_their_probabilities() {
        let all = |s: Sampling| -> Vec<u32> {
            (0..10).map(|i| draw(&logits(), &s, (f64::from(i) + 0.5) / 10.0).unwrap()).collect()
        };
        assert_eq!(all(sampling(1.0, None, None)), [1, 1, 1, 1, 2, 2, 2, 3, 3, 0]);
        // The two likeliest are 4/7 and 3/7 of what is left.
        assert_eq!(all(sampling(1.0, Some(2), None)), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
        // 0.4 + 0.3 reach 0.65, 0.4 alone does not.
        assert_eq!(all(sampling(1.0, None, Some(0.65))), all(sampling(1.0, Some(2), None)));
        // At half the temperature probabilities go with their squares: 16 9 4 1 of 30.
        assert_eq!(all(sampling(0.5, None, None)), [1, 1, 1, 1, 1, 2, 2, 2, 3, 3]);
        assert_eq!(all(sampling(1e-3, None, None)), [1; 10]);
        assert_eq!(all(sampling(1.0, Some(9), Some(1.0))), all(sampling(1.0, None, None)));
        // Equal logits: the lowest ids first.
        assert_eq!(draw(&[0.0; 5], &sampling(1.0, Some(2), None), 0.99), Some(1));
        assert_eq!(draw(&[], &sampling(1.0, None, None), 0.5), None);
    }

    #[test]
    fn a_prompt_has_its_own_stream_and_broken_logits_are_seen() {
        let next = |logits: Vec<f32>| Next { token: 1, logit: 0.4f32.ln(), log_sum: 0.0, logits };
        let draws = |sampling, prompt| -> Vec<u32> {
            let mut chooser = Chooser::new(Some(sampling), prompt);
            (0..40).map(|_| chooser.choose(&next(logits())).unwrap().0).collect()
        };
        let usual = sampling(1.0, None, None);
        assert_eq!(draws(usual, 3), draws(usual, 3));
        assert_ne!(draws(usual, 3), draws(usual, 4));
        assert_ne!(draws(usual, 3), draws(Sampling { seed: 8, ..usual }, 3));
        let (token, log_prob) = Chooser::new(None, 0).choose(&next(Vec::new())).unwrap();
        assert_eq!((token, log_prob), (1, f64::from(0.4f32.ln())));
        let broken = Next { logit: f32::NAN, ..next(Vec::new()) };
        assert_eq!(Chooser::new(None, 0).choose(&broken), None);
    }

    #[test]
    fn the_frequencies_of_draws_are_the_probabilities() {
        let next = Next { token: 1, logit: 0.4f32.ln(), log_sum: 0.0, logits: logits() };
        let mut chooser = Chooser::new(Some(sampling(1.0, None, None)), 0);
        let mut counts = [0f64; 4];
        (0..4000).for_each(|_| counts[chooser.choose(&next).unwrap().0 as usize] += 1.0);
        for (count, p) in counts.iter().zip([0.1, 0.4, 0.3, 0.2]) {
            // Four standard deviations of a share of 4,000 draws.
            let allowed = 4.0 * (p * (1.0f64 - p) / 4000.0).sqrt();
            assert!((count / 4000.0 - p).abs() < allowed, "{count} {p}");
        }
    }
}
