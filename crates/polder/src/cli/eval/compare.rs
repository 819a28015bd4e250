//! Two models on the same rows.

use polder::evaluation::Evaluated;
use polder_tasks::{Metric, PairedDifference, paired_difference, statistics};
use serde_json::{Value, json};

use super::asked::Asked;
use super::rows::Work;

/// How the first model differs from the second.
pub(super) struct Compared {
    paired: Option<PairedDifference>,
    metric: Metric,
    /// The share of rows that both answer alike.
    equal: f64,
    /// The largest difference of an option's score, in nats; `None` of texts.
    apart: Option<f64>,
}

impl Compared {
    /// Compares answers to the same rows.
    pub(super) fn of(work: &Work, first: &Asked, second: &Asked) -> polder_tasks::Result<Self> {
        let metric = first.found.metric;
        let (a, b) = (&first.found, &second.found);
        let paired = match metric {
            Metric::MacroF1 | Metric::BinaryF1 => {
                let gold: Vec<usize> = work.examples.iter().filter_map(|example| example.gold).collect();
                paired_difference(metric, &gold, &a.predictions, &b.predictions, 0)?
            }
            Metric::Loss => statistics::paired_means(&losses(work, a), &losses(work, b), 0)?,
            _ => statistics::paired_means(&a.marks, &b.marks, 0)?,
        };
        let same = match first.texts.is_empty() {
            true => a.predictions.iter().zip(&b.predictions).filter(|(a, b)| a == b).count(),
            false => first.texts.iter().zip(&second.texts).filter(|(a, b)| a == b).count(),
        };
        let values = a.values.iter().flatten().zip(b.values.iter().flatten());
        let apart = values.map(|(a, b)| (a - b).abs()).reduce(f64::max);
        Ok(Self { paired, metric, equal: same as f64 / a.n.max(1) as f64, apart })
    }

    /// As a JSON object.
    pub(super) fn object(&self, work: &Work, [first, second]: [&str; 2]) -> Value {
        use polder_tasks::Task;
        json!({
            "compared": work.task.name(),
            "metric": self.metric.to_string(),
            "model": first,
            "against": second,
            "difference": self.paired.as_ref().map(|p| p.difference),
            "interval": self.paired.as_ref().map(|p| [p.interval.low, p.interval.high]),
            "only_model": self.paired.as_ref().map(|p| p.only_first),
            "only_against": self.paired.as_ref().map(|p| p.only_second),
            "p_value": self.paired.as_ref().map(|p| p.p_value),
            "equal_answers": self.equal,
            "largest_score_difference": self.apart,
        })
    }
}

/// The mean loss of each row's own text, in nats a token.
fn losses(work: &Work, found: &Evaluated) -> Vec<f64> {
    let of = |(example, scores): (&polder_tasks::Example, &Vec<polder::scoring::OptionScore>)| {
        scores.get(example.gold.unwrap_or(0)).map_or(f64::NAN, |score| -score.mean())
    };
    work.examples.iter().zip(&found.scores).map(of).collect()
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scale, unit) = if self.metric == Metric::Loss { (1.0, "nats") } else { (100.0, "points") };
        if let Some(p) = &self.paired {
            let [low, high] = [p.interval.low, p.interval.high].map(|x| scale * x);
            write!(f, "{:+.2} {unit} (95 % interval {low:+.2} to {high:+.2})", scale * p.difference)?;
            match self.metric {
                Metric::Accuracy => write!(
                    f,
                    ", only the first right {}, only the second {} (p = {:.3})",
                    p.only_first, p.only_second, p.p_value
                )?,
                _ => write!(f, ", better in {} rows, worse in {}", p.only_first, p.only_second)?,
            }
            write!(f, "; ")?;
        }
        write!(f, "equal answers {:.1} %", 100.0 * self.equal)?;
        self.apart.map_or(Ok(()), |apart| write!(f, ", largest difference of a score {apart:.2e}"))
    }
}
