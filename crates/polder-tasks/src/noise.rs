//! Wrong labels, on purpose: how well a method withstands them is a test of flatness.

use crate::permutation::Draws;
use crate::task::Example;

/// Gives a share of the examples another right option than theirs; returns how many.
///
/// `round(share·n)` of the n examples are drawn without replacement, and each gets one of its other options, all alike
/// likely. Examples with one option, or none that is right, stay as they are. The same seed draws the same examples, and a
/// larger share adds to those of a smaller one.
pub fn flip_labels(examples: &mut [Example], share: f64, seed: u64) -> usize {
    let mut draws = Draws::new(seed, b"noise   ");
    let wanted = (share.clamp(0.0, 1.0) * examples.len() as f64).round() as usize;
    let order = draws.permutation(examples.len());
    // One number an example, drawn in the order of the rows, so that the answer doesn't depend on the share.
    let others: Vec<u64> = examples.iter().map(|e| draws.below(e.options.len().saturating_sub(1) as u64)).collect();
    let mut flipped = 0;
    for at in order.into_iter().take(wanted) {
        let example = &mut examples[at];
        if let Some(gold) = example.gold.filter(|_| example.options.len() > 1) {
            // One of the options but the right one: those from it on move up by one.
            let other = others[at] as usize;
            example.gold = Some(if other < gold { other } else { other + 1 });
            flipped += 1;
        }
    }
    flipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(n: usize, options: usize) -> Vec<Example> {
        let one = |i: usize| Example {
            idx: i.to_string(),
            options: vec![String::new(); options],
            gold: Some(i % options),
            ..Example::default()
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn the_share_is_exact_and_every_flipped_label_is_wrong() {
        for (options, share, wanted) in [(2, 0.3, 300), (4, 0.25, 250), (3, 1.0, 1000), (2, 0.0, 0)] {
            let clean = examples(1000, options);
            let mut noisy = clean.clone();
            assert_eq!(flip_labels(&mut noisy, share, 7), wanted);
            let wrong = clean.iter().zip(&noisy).filter(|(a, b)| a.gold != b.gold).count();
            assert_eq!(wrong, wanted);
            assert!(noisy.iter().all(|e| e.gold.is_some_and(|g| g < options)));
        }
    }

    #[test]
    fn other_options_are_alike_likely_and_a_larger_share_adds() {
        let clean = examples(4000, 4);
        let flipped = |share| {
            let mut noisy = clean.clone();
            flip_labels(&mut noisy, share, 3);
            noisy
        };
        let (some, more) = (flipped(0.5), flipped(0.8));
        for ((a, b), c) in clean.iter().zip(&some).zip(&more) {
            assert!(a.gold == b.gold || b.gold == c.gold, "what is flipped stays flipped alike");
        }
        let mut counts = [0f64; 4];
        for (a, b) in clean.iter().zip(&some).filter(|(a, b)| a.gold != b.gold) {
            counts[(b.gold.unwrap() + 4 - a.gold.unwrap()) % 4] += 1.0;
        }
        // 2,000 draws over three options: a standard deviation of 21.
        assert!(counts[0] == 0.0 && counts[1..].iter().all(|n| (n - 2000.0 / 3.0).abs() < 85.0), "{counts:?}");
    }

    #[test]
    fn an_example_without_another_option_stays() {
        let mut single = examples(10, 1);
        assert_eq!(flip_labels(&mut single, 1.0, 0), 0);
        let mut unlabelled = examples(10, 2);
        unlabelled.iter_mut().for_each(|e| e.gold = None);
        assert_eq!(flip_labels(&mut unlabelled, 1.0, 0), 0);
    }
}
