//! A plan for people.

use std::fmt;

use polder_tasks::LossKind;

use super::Plan;
use crate::config::{Batch, Rate, Schedule};
use crate::device::Kind;
use crate::sharpness::LONGER;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (config, facts) = (&self.config, &self.facts);
        let model = &facts.model;
        writeln!(f, "model      {}", config.model.path.display())?;
        writeln!(
            f,
            "           {}, {} layers of width {}, vocabulary {}; {} parameters, {} trainable",
            model.model_type, model.layers, model.hidden, model.vocab, model.parameters, model.trainable
        )?;
        let name = config.model.dtype.name();
        writeln!(f, "           weights held in {name}, {} bytes each", model.bytes_a_weight)?;
        writeln!(f, "device     {}", facts.device)?;
        let data = &facts.data;
        let path = data.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        writeln!(f, "data       {}, {path}", data.task)?;
        writeln!(
            f,
            "           {} training, {} dev, {} evaluation rows ({}); longest sequence {} tokens",
            data.train, data.dev, data.eval, data.eval_split, data.longest
        )?;
        self.method(f)?;
        self.costs(f)?;
        for note in &facts.notes {
            writeln!(f, "note       {note}")?;
        }
        Ok(())
    }
}

impl Plan {
    fn method(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        let law = polder_perturb::Law::from(config.estimator.law);
        write!(
            f,
            "method     {}: {}, {} law",
            config.estimator.name,
            settings(&config.estimator.settings),
            law.name()
        )?;
        writeln!(f, "{}", config.clip.map(|c| format!(", slopes clipped to {c}")).unwrap_or_default())?;
        let schedule = match &config.schedule {
            Schedule::Constant(c) => format!("constant, {} warm-up steps", c.warmup),
            Schedule::Linear(l) => format!("linear to {}, {} warm-up steps", l.end, l.warmup),
            Schedule::Cosine(c) => format!("cosine to {}, {} warm-up steps", c.end, c.warmup),
        };
        let lr = match config.optimizer.lr {
            Rate::Fixed(lr) => format!("{lr:e}"),
            Rate::Auto => "auto".to_owned(),
        };
        let optimizer = &config.optimizer;
        writeln!(f, "           {}: lr {lr} ({schedule}), {}", optimizer.name, settings(&optimizer.settings))?;
        if let Some(auto) = &config.auto {
            let again = auto.every.map_or(String::new(), |every| format!(" and after every {every} steps"));
            writeln!(
                f,
                "           the rate is {} of the stable bound from the Hessian's trace, measured along {} directions ({} \
                 forward passes) when the run begins{again}, up to {} while it is not clear of zero",
                auto.share,
                auto.probes,
                3 * auto.probes,
                LONGER * auto.probes as u64
            )?;
        }
        let batch = match config.batch {
            Batch::Count(_) => self.facts.data.batch.to_string(),
            Batch::Full => format!("{} (all)", self.facts.data.batch),
        };
        writeln!(f, "           {} steps of {batch} examples, seed {}", config.steps, config.seed)
    }

    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cost = &self.facts.cost;
        let n = &cost.forwards;
        writeln!(
            f,
            "forwards   {} a step, {} in training, {} in {} evaluations; {} sequences",
            n.step,
            n.training,
            n.evaluation,
            n.dev_evaluations + n.eval_evaluations,
            n.sequences
        )?;
        let m = &cost.memory;
        writeln!(
            f,
            "memory     about {}: weights {}, the optimiser's state {}, activations about {}, scratch about {}",
            size(m.total()),
            size(m.weights),
            size(m.state),
            size(m.activations),
            size(m.scratch)
        )?;
        self.on_gpu(f)?;
        self.generation(f)?;
        let d = &cost.disk;
        writeln!(
            f,
            "disk       at most about {}: best and final {}, checkpoints {}, logs {}",
            size(d.total()),
            size(d.weights),
            size(d.checkpoints),
            size(d.logs)
        )
    }
}

impl Plan {
    /// What a GPU has to hold.
    fn on_gpu(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(gpu) = &self.facts.gpu else { return Ok(()) };
        let takes = if self.facts.device.kind == Kind::Cpu { "would take" } else { "takes" };
        writeln!(
            f,
            "gpu        {takes} about {}: weights {}, the optimiser's state {}, activations {}, scratch {}, logits {}, kept {}, \
             set aside {}",
            size(gpu.total()),
            size(gpu.weights),
            size(gpu.state),
            size(gpu.pass.activations),
            size(gpu.pass.scratch),
            size(gpu.pass.logits),
            size(gpu.kept),
            size(gpu.allowance)
        )
    }

    /// What generating answers takes, where any are generated.
    fn generation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(questions) = &self.data.questions else { return Ok(()) };
        let m = &self.facts.cost.memory;
        let new = questions.settings.max_new_tokens;
        let cache = size(m.cache);
        writeln!(f, "answers    of at most {new} tokens are generated; keys and values {cache} of that memory")?;
        if self.data.kind != LossKind::F1 {
            return Ok(());
        }
        let whole = match (self.config.materialise, m.point) {
            (_, 0) => "its weights are read at the point in every pass".to_owned(),
            (Some(true), bytes) => format!("its weights are made whole, {} of that memory", size(bytes)),
            (_, bytes) => format!("its weights are made whole if memory allows, {} of it", size(bytes)),
        };
        writeln!(f, "           at a point every prompt takes a pass, every new token one row more; {whole}")
    }
}

/// Settings as `name value`, by commas.
fn settings(settings: &serde_json::Map<String, serde_json::Value>) -> String {
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(word) => word.clone(),
        value => value.to_string(),
    };
    settings.iter().map(|(name, v)| format!("{} {}", name.replace('_', " "), value(v))).collect::<Vec<_>>().join(", ")
}

/// Bytes for people, in decimal units.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let bytes = bytes as f64;
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1500), "1.5 kB");
        assert_eq!(size(269_000_000), "269.0 MB");
        assert_eq!(size(26_000_000_000), "26.0 GB");
    }
}
