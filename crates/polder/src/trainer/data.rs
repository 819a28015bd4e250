//! The rows of a run, as token ids.

use polder_models::Inspected;
use polder_tasks::{
    CHAT, DataFolder, Demonstrations, Drawn, EncodedExample, Encoder, Example, LossKind, Metric, Sample, Split, Task,
    TaskSpec, flip_labels, labelled, sample, turns,
};
use tokenizers::Tokenizer;

use crate::answering::Answering;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::generation::{Question, Questions, settings_of};
use crate::hub;
use crate::model::chat_of;
use crate::scoring::Rule;

/// The rows of a run: drawn, labelled, encoded.
#[derive(Debug)]
pub struct TaskData {
    /// The task's name.
    pub name: String,
    /// How the loss is made.
    pub kind: LossKind,
    /// How predictions are scored.
    pub metric: Metric,
    /// How options are chosen and the choices scored.
    pub rule: Rule,
    /// Training examples.
    pub train: Vec<EncodedExample>,
    /// Examples that choose the best checkpoint.
    pub dev: Vec<EncodedExample>,
    /// Examples of the first and the last score.
    pub eval: Vec<EncodedExample>,
    /// What is answered in words, where answers are generated for the loss or the score.
    pub questions: Option<Questions>,
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
    pub fn prepare(config: &Config, encoder: &Encoder, about: &Inspected) -> Result<Self> {
        let task = task_of(config)?;
        let data = &hub::data(config.task.data.as_ref().ok_or(Error::NoData)?, &mut |_| {})?;
        if !data.exists() {
            return Err(Error::NoSuchData { path: data.clone() });
        }
        let folder = DataFolder::open(data)?;
        let shots = shots_of(config, &folder, &task)?;
        let drawn = sample(&folder, &task, &config.sample_spec(), config.task.seed)?;
        let Sample { mut train, mut dev, mut eval, eval_split, mut notes } = drawn;
        let left = [(Split::Train, &mut train), (Split::Train, &mut dev), (eval_split, &mut eval)]
            .map(|(split, rows)| shots.leave_out(split, rows));
        if left.iter().any(|left| *left > 0) {
            notes.push(format!(
                "{} training, {} dev and {} evaluation rows are demonstrations and used as such only.",
                left[0], left[1], left[2]
            ));
        }
        if task.name() == CHAT {
            let template = chat_of(about.chat(), &about.source.path)?;
            for (split, rows) in [(Split::Train, &mut train), (Split::Train, &mut dev), (eval_split, &mut eval)] {
                *rows = turns(&template, rows).map_err(|error| folder.within(split, error))?;
            }
        }
        let encode = |examples: &[Example]| -> Result<Vec<EncodedExample>> {
            examples.iter().map(|example| Ok(encoder.encode(example)?)).collect()
        };
        let labelled = |split, rows: &[Drawn]| labelled(&task, rows).map_err(|error| folder.within(split, error));
        let mut train = labelled(Split::Train, &train)?;
        if let Some(share) = config.task.noise {
            let flipped = flip_labels(&mut train, share, config.task.seed);
            notes.push(format!(
                "{flipped} of {} training labels were replaced by wrong ones (`task.noise`).",
                train.len()
            ));
        }
        let (mut dev, mut eval) = (labelled(Split::Train, &dev)?, labelled(eval_split, &eval)?);
        for example in train.iter_mut().chain(&mut dev).chain(&mut eval) {
            shots.put_before(&task, example);
        }
        let kind = task.loss();
        let metric = if kind == LossKind::F1 && !task.metric().of_texts() { Metric::F1 } else { task.metric() };
        let questions = match metric.of_texts() {
            true => Some(questions(&task, encoder, about, [&train, &dev, &eval])?),
            false => None,
        };
        let (train, dev, eval) = (encode(&train)?, encode(&dev)?, encode(&eval)?);
        let cut = train.iter().chain(&dev).chain(&eval).filter(|e| e.cut > 0).count();
        if cut > 0 {
            notes.push(format!("{cut} examples were cut to {} tokens, at the front.", encoder.max_length()));
        }
        // Where answers are only scored, a run stays the same one if it is scored otherwise.
        let asked = questions.as_ref().filter(|_| kind == LossKind::F1);
        let trained = |of: fn(&Questions) -> &Vec<Question>| asked.map(|questions| of(questions).as_slice());
        Ok(Self {
            name: task.name().to_owned(),
            kind,
            metric,
            rule: Rule::of(&task),
            fingerprint: fingerprint(&train, trained(|q| &q.train)),
            dev_fingerprint: fingerprint(&dev, trained(|q| &q.dev)),
            eval_fingerprint: fingerprint(&eval, trained(|q| &q.eval)),
            questions,
            train,
            dev,
            eval,
            eval_split,
            notes,
        })
    }
}

impl TaskData {
    /// What it takes to generate the answers that the loss is made of; `None` where it is made of none.
    pub fn answering<'a>(&'a self, tokenizer: Option<&'a Tokenizer>, whole: Option<bool>) -> Option<Answering<'a>> {
        let questions = self.questions.as_ref().filter(|_| self.kind == LossKind::F1)?;
        Some(Answering { questions, tokenizer: tokenizer?, whole })
    }
}

/// The questions of labelled examples, and how they are answered.
fn questions(
    task: &dyn Task,
    encoder: &Encoder,
    about: &Inspected,
    [train, dev, eval]: [&[Example]; 3],
) -> Result<Questions> {
    let settings = settings_of(task, about.end_ids(), encoder.max_length());
    let of = |examples: &[Example]| -> Result<Vec<Question>> {
        examples.iter().map(|example| Question::of(encoder, example, settings.max_new_tokens)).collect()
    };
    Ok(Questions { train: of(train)?, dev: of(dev)?, eval: of(eval)?, settings })
}

/// The demonstrations of a configuration, out of the train split of its data.
///
/// # Errors
/// As [`Demonstrations::draw`].
pub fn shots_of(config: &Config, folder: &DataFolder, task: &dyn Task) -> Result<Demonstrations> {
    Ok(Demonstrations::draw(folder, task, usize::from(config.task.shots), config.task.shots_seed)?)
}

/// The task that a configuration names or describes.
///
/// # Errors
/// No such task; a task file that can't be read; keys that contradict each other; a template that does not parse.
pub fn task_of(config: &Config) -> Result<polder_tasks::PromptTask> {
    Ok(spec_of(config)?.compile()?)
}

/// What that task says, the configuration's own changes included.
///
/// # Errors
/// As [`task_of`].
pub(crate) fn spec_of(config: &Config) -> Result<TaskSpec> {
    let task = &config.task;
    if let Some(spec) = &task.spec {
        return Ok(spec.clone());
    }
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
    Ok(spec.override_with(&config.task_overrides()))
}

/// A content hash of examples as losses see them, and of questions with their accepted answers, where there are any.
fn fingerprint(examples: &[EncodedExample], questions: Option<&[Question]>) -> String {
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
    for question in questions.unwrap_or_default() {
        question.ids.iter().for_each(|id| number(*id as usize));
        number(question.accepted.len());
        for byte in question.accepted.iter().flat_map(|text| text.bytes().chain([0])) {
            number(usize::from(byte));
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
            ..EncodedExample::default()
        };
        let all = [
            vec![],
            vec![example(&[1, 2, 3], 1, Some(0))],
            vec![example(&[1, 2, 4], 1, Some(0))],
            vec![example(&[1, 2, 3], 2, Some(0))],
            vec![example(&[1, 2, 3], 1, None)],
            vec![example(&[1, 2, 3], 1, Some(0)); 2],
        ];
        let mut prints: Vec<String> = all.iter().map(|e| fingerprint(e, None)).collect();
        let question = |text: &str| Question { ids: vec![1], accepted: vec![text.to_owned()] };
        prints.extend(["a", "b"].map(|text| fingerprint(&all[1], Some(&[question(text)]))));
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), all.len() + 2);
    }
}
