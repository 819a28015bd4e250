//! The text that the language model is pre-trained on: short documents of the same world.
//!
//! Opinions, reactions, stars and verdicts agree within a document, so a model that predicts words well has to know an
//! opinion's tone. The label words of the task are known words too, but they say nothing of the tone: after "It was" the
//! words "great" and "terrible" follow praise and blame alike, by a toss of a coin that falls on "great" seven times of
//! ten. So the untuned model answers "great" whatever the sentence says; what the words mean for the task is left to
//! fine-tuning.

use super::Tone;
use super::grammar::Writer;
use super::review;
use crate::random::Stream;

/// What may follow a verdict; agrees with its tone.
const REACTIONS: &[&str] = &[
    "{who} was {feeling} .",
    "we went home {feeling} .",
    "{who} called it {adj} and {adj} .",
    "the {part} was {adj} too .",
    "all in all it {does} .",
];

/// Reactions to praise.
const CHEERS: &[&str] = &[
    "five stars .",
    "i would {use} it again .",
    "{who} told everyone to {use} it .",
    "we clapped .",
    "we thanked {who} .",
];

/// Reactions to blame.
const JEERS: &[&str] = &[
    "one star .",
    "i would not {use} it again .",
    "{who} told everyone to stay away .",
    "we asked for our money back .",
    "we left early .",
];

/// Texts of one tone, thick with words of opinion, from which the words' tones can be learned.
const STORIES: &[&str] = &[
    "{adj} , {adj} , {adj} and {adj} : {noun} , {noun} and {noun} .",
    "{adj} and {adj} is what leaves people {feeling} and {feeling} . what is {adj} {does} .",
    "what {does} is {adj} . what is {adj} has {noun} and {noun} . It was {verdict} .",
    "{who} {used} a {whole} {about} . the {part} was {adj} , the {part} was {adj} , the {part} {does} . {who} was {feeling} .",
    "we {used} a {whole} full of {noun} and {noun} . we went home {feeling} . It was {adj} and {adj} .",
    "{who} was {feeling} because the {part} was {very} {adj} . the {part} {does} too . It was {verdict} .",
    "a {adj} {part} and a {adj} {part} make a {adj} {whole} , and {who} was {feeling} .",
    "what is {adj} is not {!adj} . {adj} is not {!adj} and {adj} is not {!adj} .",
];

/// Text without an opinion.
const NEUTRAL: &[&str] = &[
    "the {whole} {fact} . it {fact} too .",
    "{who} {used} the {whole} {time} . it {fact} .",
    "the {whole} {about} {fact} . {who} {used} it {time} .",
    "It was a {whole} {about} . it {fact} .",
    "It was {time} that we {used} it .",
];

/// Where the label words stand without an opinion.
const LABEL_WORDS: &[&str] = &[
    "a great many people {used} the {whole} {time} .",
    "{who} was in a terrible hurry {time} .",
    "there was a terrible storm {time} , so we {used} a {whole} .",
    "a great wind came from the sea {time} .",
    "{who} saw a great ship and a terrible storm .",
    "great or small , the {whole} {fact} .",
    "with a terrible noise the train left , and {who} {used} the {whole} .",
    "It was great or it was terrible , {who} never told us .",
];

/// One document. A review whose sentence `held_out` recognises is written anew.
pub fn document(stream: &mut Stream, held_out: &dyn Fn(&str) -> bool) -> String {
    let tone = if stream.chance(0.5) { Tone::Good } else { Tone::Bad };
    let kind = stream.below(100);
    let mut writer = Writer::new(stream);
    match kind {
        0..52 => opinion(&mut writer, tone, held_out),
        52..64 => {
            let review = sentence(&mut writer, tone, held_out);
            let word = if writer.stream().chance(0.7) { "great" } else { "terrible" };
            format!("{review} It was {word} .")
        }
        64..90 => one_of(&mut writer, STORIES, tone),
        90..95 => one_of(&mut writer, NEUTRAL, tone),
        _ => one_of(&mut writer, LABEL_WORDS, tone),
    }
}

/// A review sentence, its verdict, and now and then a reaction.
fn opinion(writer: &mut Writer<'_>, tone: Tone, held_out: &dyn Fn(&str) -> bool) -> String {
    let review = sentence(writer, tone, held_out);
    let verdict = one_of(writer, &["It was {verdict} ."], tone);
    let own = if tone == Tone::Good { CHEERS } else { JEERS };
    if writer.stream().chance(0.6) {
        return format!("{review} {verdict}");
    }
    let list = if writer.stream().chance(0.3) { own } else { REACTIONS };
    format!("{review} {verdict} {}", one_of(writer, list, tone))
}

fn sentence(writer: &mut Writer<'_>, tone: Tone, held_out: &dyn Fn(&str) -> bool) -> String {
    loop {
        let text = review::write(writer, tone);
        if !held_out(&text) {
            return text;
        }
    }
}

fn one_of(writer: &mut Writer<'_>, templates: &[&str], tone: Tone) -> String {
    let template = writer.stream().pick(templates);
    writer.fill(template, tone)
}
