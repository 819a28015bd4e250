//! Templates with slots, and how a slot is filled.
//!
//! A template is a line of words; a word in braces is a slot. A slot of opinion takes the sentence's tone (`{adj}`), or
//! the opposite tone with `!` (`{!adj}`). Square brackets hold an optional group of words, kept half of the time.

use super::Tone;
use super::lexicon::{self, Domain};
use crate::random::Stream;

/// Fills templates about one domain, and uses no word of a slot twice in one text.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    stream: &'a mut Stream,
    domain: &'static Domain,
    whole: &'static str,
    used: Vec<&'static str>,
}

impl<'a> Writer<'a> {
    /// A writer about a random domain.
    pub(super) fn new(stream: &'a mut Stream) -> Self {
        let domain = &lexicon::DOMAINS[stream.below(lexicon::DOMAINS.len())];
        let whole = stream.pick(domain.wholes);
        Self { stream, domain, whole, used: Vec::new() }
    }

    /// The template with its slots filled, "a" turned into "an" where a vowel follows.
    pub(super) fn fill(&mut self, template: &str, tone: Tone) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut keep = true;
        for word in template.split(' ') {
            match word {
                "[" => keep = self.stream.chance(0.5),
                "]" => keep = true,
                _ if !keep => {}
                _ => match word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                    Some(slot) => words.push(self.slot(slot, tone).to_owned()),
                    None => words.push(word.to_owned()),
                },
            }
        }
        let mut text = words.join(" ").split(' ').map(str::to_owned).collect::<Vec<_>>();
        for i in 1..text.len() {
            if text[i - 1] == "a" && text[i].starts_with(['a', 'e', 'i', 'o']) {
                text[i - 1].push('n');
            }
        }
        text.join(" ")
    }

    /// A choice for this writer's caller from its own stream.
    pub(super) fn stream(&mut self) -> &mut Stream {
        self.stream
    }

    fn slot(&mut self, slot: &str, tone: Tone) -> &'static str {
        let (name, tone) = match slot.strip_prefix('!') {
            Some(name) => (name, tone.opposite()),
            None => (slot, tone),
        };
        let by_tone = |good, bad| if tone == Tone::Good { good } else { bad };
        let domain = self.domain;
        match name {
            "whole" => self.whole,
            "part" => self.fresh(domain.parts),
            "fact" => self.fresh(domain.facts),
            "about" => self.fresh(domain.about),
            "use" => self.stream.pick(domain.uses).0,
            "used" => self.stream.pick(domain.uses).1,
            "adj" if self.stream.chance(0.4) => self.fresh(by_tone(domain.good, domain.bad)),
            "adj" => self.fresh(by_tone(lexicon::GOOD, lexicon::BAD)),
            "does" => self.fresh(by_tone(lexicon::SHINES, lexicon::FAILS)),
            "noun" => self.fresh(by_tone(lexicon::MERITS, lexicon::FAULTS)),
            "feeling" => self.fresh(by_tone(lexicon::PLEASED, lexicon::UPSET)),
            "verdict" => self.fresh(by_tone(lexicon::VERDICT_GOOD, lexicon::VERDICT_BAD)),
            "very" => self.stream.pick(lexicon::VERY),
            "time" => self.fresh(lexicon::TIMES),
            "who" => self.fresh(lexicon::PEOPLE),
            other => unreachable!("the template slot `{other}` has no words"),
        }
    }

    /// A word of the list that this text has not used yet (any, where all are used).
    fn fresh(&mut self, list: &'static [&'static str]) -> &'static str {
        let mut word = self.stream.pick(list);
        for _ in 0..20 {
            if !self.used.contains(&word) {
                break;
            }
            word = self.stream.pick(list);
        }
        self.used.push(word);
        word
    }
}
