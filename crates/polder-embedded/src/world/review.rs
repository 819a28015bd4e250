//! Review sentences with a tone.
//!
//! No single word decides: praise is negated, opposed ("…, but …", "although …"), compared and denied, and the clause that
//! decides comes first as often as last.

use super::Tone;
use super::grammar::Writer;
use crate::random::Stream;

/// Templates whose opinion slots carry the tone.
const PLAIN: &[&str] = &[
    "the {part} is [ {very} ] {adj} and the {part} is {adj}",
    "the {part} is {very} {adj}",
    "a {adj} , {adj} {whole} [ {about} ]",
    "a [ {very} ] {adj} {whole} {about} that {does}",
    "{very} {adj} from start to finish",
    "the {whole} {about} {does}",
    "the {part} {does} and the {part} of this {adj} {whole} {does}",
    "this {whole} is full of {noun} and {noun}",
    "it left {who} {feeling}",
    "the {whole} {fact} , and it {does}",
    "we {used} the {whole} {time} and came home {feeling}",
    "{who} found the {part} {very} {adj}",
    "i was {feeling} when we {used} this {whole}",
    "with its {adj} {part} and {adj} {part} , the {whole} {does}",
    "the {part} , like the {part} , is {adj}",
    "{who} said that the {part} was {adj}",
];

/// Templates in which an opinion is denied.
const DENIED: &[&str] = &[
    "the {part} is not {!adj} at all",
    "there is nothing {!adj} about the {part}",
    "the {whole} is never {!adj}",
    "not a {!adj} {whole} by any means",
    "the {part} is hardly {!adj}",
    "the {whole} {about} has no {!noun}",
    "this {whole} is without {!noun} [ or {!noun} ]",
    "nobody could call the {part} {!adj}",
    "the {part} is neither {!adj} nor {!adj}",
    "i was not {!feeling} when we {used} the {whole}",
    "the {part} was far from {!adj}",
    "{who} expected a {!adj} {whole} and was wrong",
];

/// Templates in which two tones meet and the main clause decides.
const MIXED: &[&str] = &[
    "the {part} is {!adj} , but the {whole} {does}",
    "the {part} is {!adj} and the {part} is {!adj} , but [ in the end ] the {whole} is {adj}",
    "although the {part} is {!adj} , the {whole} {does}",
    "the {whole} is {very} {adj} , even if the {part} is {!adj}",
    "the {whole} {does} despite its {!adj} {part}",
    "despite the {!noun} , this is a {adj} {whole}",
    "{who} was {!feeling} at first , but the {whole} turned out {adj}",
    "the {whole} {does} , though {who} thought the {part} {!adj}",
    "what could have been a {!adj} {whole} is {very} {adj}",
    "the {part} is more {adj} than {!adj}",
    "it sounds {!adj} , yet it {does}",
    "for all its {!noun} , the {whole} is {adj}",
    "the {whole} is {adj} in spite of the {!adj} {part}",
    "we hoped for {!noun} and got {noun}",
];

/// Templates that are praise by themselves.
const PRAISE: &[&str] = &[
    "i would gladly {use} this {whole} again",
    "worth every minute , the {part} above all",
    "you will want to {use} it twice",
    "the best {whole} we {used} [ {time} ]",
    "do not miss this {whole} {about}",
    "the {part} could not be better",
    "better than any {whole} that {who} {used}",
    "{who} could not stop talking about the {adj} {part}",
];

/// Templates that are blame by themselves.
const BLAME: &[&str] = &[
    "i would never {use} this {whole} again",
    "a waste of time , the {part} above all",
    "you will want to leave before the {part}",
    "the worst {whole} we {used} [ {time} ]",
    "avoid this {whole} {about}",
    "the {part} could not be worse",
    "worse than any {whole} that {who} {used}",
    "{who} could not stop complaining about the {adj} {part}",
];

/// Neutral openings that some sentences begin with.
const OPENINGS: &[&str] = &[
    "we {used} it {time} :",
    "to be honest ,",
    "{who} {used} it {time} :",
    "in short ,",
    "well ,",
    "in my view ,",
    "the {whole} {fact} :",
    "as {who} told me ,",
];

/// A review sentence of that tone, in lower case, 4 to 24 words with punctuation as words of their own.
pub fn sentence(stream: &mut Stream, tone: Tone) -> String {
    let mut writer = Writer::new(stream);
    write(&mut writer, tone)
}

/// A review sentence by a writer, which keeps to its domain and its unused words.
pub(super) fn write(writer: &mut Writer<'_>, tone: Tone) -> String {
    let kind = writer.stream().below(100);
    let own = if tone == Tone::Good { PRAISE } else { BLAME };
    let list = match kind {
        0..38 => PLAIN,
        38..60 => DENIED,
        60..88 => MIXED,
        _ => own,
    };
    let template = writer.stream().pick(list);
    let opening = writer.stream().chance(0.25).then(|| writer.stream().pick(OPENINGS));
    let body = writer.fill(template, tone);
    match opening {
        Some(opening) => format!("{} {body} .", writer.fill(opening, tone)),
        None => format!("{body} ."),
    }
}
