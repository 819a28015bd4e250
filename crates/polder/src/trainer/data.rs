//! The rows of a run, as token ids.

use polder_tasks::{
    DataFolder, EncodedExample, Encoder, Example, LossKind, Metric, Sample, Split, Task, TaskSpec, flip_labels,
    labelled, sample,
};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::hub;

/// The rows of a run: drawn, labelled, encoded.
#[derive(Debug)]
pub struct TaskData {
    /// The task's name.
    pub name: String,
    /// How the loss is made.
    pub kind: LossKind,
    /// How predictions are scored.
    pub metric: Metric,
    /// Training examples.
    pub train: Vec<EncodedExample>,
    /// Examples that choose the best checkpoint.
    pub dev: Vec<EncodedExample>,
    /// Examples of the first and the last score.
    pub eval: Vec<EncodedExample>,
    /// The split that those come from.
    pub eval_split: Split,
    /// What fell back, and how many examples were cut, in sentences.
    pub notes: Vec<String>,
    /// A content hash of the training examples as the losses see them: ids, scored tokens, gold.
    pub fingerprint: String,
    /// The same of the dev examples, which choose the best weights.
    pub dev_fingerprint: String,
    /// The same of the evaluation examples.
    pub eval_fingerprint: String,
}

impl TaskData {
    /// Draws and encodes what a configuration asks for.
    ///
    /// # Errors
    /// A task, data file, template or tokenizer that can't be used; a row without a label.
    pub fn prepare(config: &Config, encoder: &Encoder) -> Result<Self> {
        let task = task_of(config)?;
        let data = &hub::data(config.task.data.as_ref().ok_or(Error::NoData)?, &mut |_| {})?;
        if !data.exists() {
            return Err(Error::NoSuchData { path: data.clone() });
        }
        let drawn = sample(&DataFolder::open(data)?, &task, &config.sample_spec(), config.task.seed)?;
        let Sample { train, dev, eval, eval_split, mut notes } = drawn;
        let encode = |examples: &[Example]| -> Result<Vec<EncodedExample>> {
            examples.iter().map(|example| Ok(encoder.encode(example)?)).collect()
        };
        let mut train = labelled(&task, &train)?;
        if let Some(share) = config.task.noise {
            let flipped = flip_labels(&mut train, share, config.task.seed);
            notes.push(format!(
                "{flipped} of {} training labels were replaced by wrong ones (`task.noise`).",
                train.len()
            ));
        }
        let (train, dev, eval) = (encode(&train)?, encode(&labelled(&task, &dev)?)?, encode(&labelled(&task, &eval)?)?);
        let cut = train.iter().chain(&dev).chain(&eval).filter(|e| e.cut > 0).count();
        if cut > 0 {
            notes.push(format!("{cut} examples were cut to {} tokens, at the front.", encoder.max_length()));
        }
        Ok(Self {
            name: task.name().to_owned(),
            kind: task.loss(),
            metric: task.metric(),
            fingerprint: fingerprint(&train),
            dev_fingerprint: fingerprint(&dev),
            eval_fingerprint: fingerprint(&eval),
            train,
            dev,
            eval,
            eval_split,
            notes,
        })
    }
}

/// The task that a configuration names or describes.
///
/// # Errors
/// No such task; a task file that can't be read; keys that contradict each other; a template that does not parse.
pub fn task_of(config: &Config) -> Result<polder_tasks::PromptTask> {
    let task = &config.task;
    let spec = match (&task.file, &task.name) {
        (Some(file), _) => TaskSpec::from_file(file)?,
        (None, Some(name)) => match polder_tasks::builtin(name) {
            Some(spec) => spec?,
            // A name of one's own needs a prompt or a target beside it; the check of the keys says so.
            None if task.prompt.is_some() || task.target.is_some() => TaskSpec::named(name),
            None => TaskSpec::resolve(name, std::path::Path::new("."))?,
        },
        (None, None) => TaskSpec::named("task"),
    };
    Ok(spec.override_with(&config.task_overrides()).compile()?)
}

fn fingerprint(examples: &[EncodedExample]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut number = |n: usize| {
        hasher.update(&(n as u64).to_le_bytes());
    };
    number(examples.len());
    for example in examples {
        number(example.gold.map_or(0, |g| g + 1));
        number(example.options.len());
        for option in &example.options {
            number(option.scored);
            number(option.ids.len());
            option.ids.iter().for_each(|id| number(*id as usize));
        }
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_tasks::EncodedOption;

    #[test]
    fn a_fingerprint_sees_all_that_losses_see() {
        let example = |ids: &[u32], scored, gold| EncodedExample {
            idx: "0".to_owned(),
            options: vec![EncodedOption { ids: ids.to_vec(), scored }],
            gold,
            cut: 0,
        };
        let all = [
            vec![],
            vec![example(&[1, 2, 3], 1, Some(0))],
            vec![example(&[1, 2, 4], 1, Some(0))],
            vec![example(&[1, 2, 3], 2, Some(0))],
            vec![example(&[1, 2, 3], 1, None)],
            vec![example(&[1, 2, 3], 1, Some(0)); 2],
        ];
        let mut prints: Vec<String> = all.iter().map(|e| fingerprint(e)).collect();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), all.len());
    }
}
