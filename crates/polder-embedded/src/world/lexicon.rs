//! The words of the little world: what is reviewed, and how one speaks well or ill of it.
//!
//! The label words of the task, "great" and "terrible", are in no list.

/// Something that people review.
#[derive(Debug)]
pub(super) struct Domain {
    /// What it is called.
    pub(super) wholes: &'static [&'static str],
    /// Its parts (singular).
    pub(super) parts: &'static [&'static str],
    /// What one does with it, after "to" and in the past tense.
    pub(super) uses: &'static [(&'static str, &'static str)],
    /// Neutral things that can be said of the whole, in the present tense.
    pub(super) facts: &'static [&'static str],
    /// What it is about or where it is; follows the whole.
    pub(super) about: &'static [&'static str],
    /// Words of praise that fit here.
    pub(super) good: &'static [&'static str],
    /// Words of blame that fit here.
    pub(super) bad: &'static [&'static str],
}

/// All domains.
pub(super) const DOMAINS: [Domain; 4] = [FILM, FOOD, HOTEL, BOOK];

const FILM: Domain = Domain {
    wholes: &["film", "movie", "drama", "comedy", "thriller", "sequel", "western"],
    parts: &[
        "plot",
        "acting",
        "script",
        "soundtrack",
        "ending",
        "dialogue",
        "pacing",
        "camera work",
        "cast",
        "first hour",
        "love story",
        "final scene",
        "humour",
        "lead actor",
    ],
    uses: &[("watch", "watched"), ("see", "saw"), ("sit through", "sat through")],
    facts: &[
        "runs for two hours",
        "is set in a small town",
        "follows three brothers",
        "was filmed by the sea",
        "tells of a long winter",
        "opens with a train",
        "has two songs",
    ],
    about: &["about a sailor", "about two sisters", "about a lost dog", "about the war", "for the whole family"],
    good: &["gripping", "moving", "funny", "witty", "stylish", "tender", "thrilling"],
    bad: &["predictable", "wooden", "silly", "shallow", "corny", "lifeless", "muddled"],
};

const FOOD: Domain = Domain {
    wholes: &["restaurant", "cafe", "diner", "bakery", "bistro", "tavern"],
    parts: &[
        "soup",
        "bread",
        "service",
        "coffee",
        "menu",
        "fish",
        "dessert",
        "sauce",
        "waiter",
        "kitchen",
        "salad",
        "cake",
        "lunch",
        "wine list",
    ],
    uses: &[("eat at", "ate at"), ("dine at", "dined at"), ("visit", "visited")],
    facts: &[
        "opens at noon",
        "stands near the bridge",
        "seats forty people",
        "serves lunch and dinner",
        "is run by two cousins",
        "closes on monday",
        "has a blue door",
    ],
    about: &["by the river", "near the station", "on the corner", "down the hill", "with a garden"],
    good: &["tasty", "delicious", "friendly", "crisp", "tender", "generous", "savoury"],
    bad: &["greasy", "soggy", "burnt", "salty", "rude", "tasteless", "sour"],
};

const HOTEL: Domain = Domain {
    wholes: &["hotel", "inn", "hostel", "guest house", "resort", "lodge"],
    parts: &[
        "room",
        "bed",
        "view",
        "pool",
        "staff",
        "bathroom",
        "breakfast",
        "lobby",
        "balcony",
        "carpet",
        "shower",
        "garden",
        "desk clerk",
        "heating",
    ],
    uses: &[("stay at", "stayed at"), ("sleep at", "slept at"), ("visit", "visited")],
    facts: &[
        "has four floors",
        "stands by the harbour",
        "was built last year",
        "faces the square",
        "has sixty beds",
        "lies near the airport",
        "takes guests all year",
    ],
    about: &["by the lake", "near the beach", "in the old town", "behind the church", "for travellers"],
    good: &["spotless", "cosy", "comfortable", "quiet", "friendly", "bright", "spacious"],
    bad: &["dirty", "noisy", "cramped", "damp", "rude", "shabby", "smelly"],
};

const BOOK: Domain = Domain {
    wholes: &["book", "novel", "memoir", "mystery", "story", "biography"],
    parts: &[
        "prose",
        "opening chapter",
        "hero",
        "ending",
        "style",
        "plot",
        "middle part",
        "author",
        "translation",
        "narrator",
        "mystery",
        "dialogue",
        "last chapter",
        "villain",
    ],
    uses: &[("read", "read"), ("finish", "finished"), ("open", "opened")],
    facts: &[
        "has ten chapters",
        "is set on an island",
        "follows a young doctor",
        "starts in the spring",
        "tells of two families",
        "was written in one year",
        "has three parts",
    ],
    about: &["about a teacher", "about the sea", "about old friends", "about a village", "for young readers"],
    good: &["gripping", "moving", "wise", "witty", "rich", "poetic", "absorbing"],
    bad: &["predictable", "wordy", "shallow", "confusing", "preachy", "dry", "muddled"],
};

/// Praise that fits anything.
pub(super) const GOOD: &[&str] = &[
    "good",
    "lovely",
    "superb",
    "charming",
    "delightful",
    "pleasant",
    "brilliant",
    "impressive",
    "fresh",
    "clever",
    "graceful",
    "satisfying",
    "splendid",
    "fine",
    "warm",
    "remarkable",
    "beautiful",
    "enjoyable",
    "perfect",
    "fun",
];

/// Blame that fits anything.
pub(super) const BAD: &[&str] = &[
    "bad", "dull", "dreary", "poor", "weak", "tedious", "bland", "sloppy", "clumsy", "stale", "dismal", "messy",
    "ugly", "annoying", "boring", "mediocre", "careless", "tiresome", "cheap", "lame",
];

/// What a good thing does.
pub(super) const SHINES: &[&str] = &[
    "shines",
    "delights",
    "works",
    "pleases",
    "charms",
    "succeeds",
    "wins you over",
    "is a joy",
    "is a treat",
    "hits the mark",
    "stays with you",
    "earns its praise",
    "lifts the spirits",
];

/// What a bad thing does.
pub(super) const FAILS: &[&str] = &[
    "fails",
    "drags",
    "grates",
    "falls flat",
    "disappoints",
    "falls apart",
    "wears you out",
    "is a mess",
    "is a chore",
    "misses the mark",
    "leaves you cold",
    "goes wrong",
    "tries the patience",
];

/// Good things to have or to show.
pub(super) const MERITS: &[&str] =
    &["charm", "warmth", "wit", "grace", "care", "heart", "skill", "taste", "spirit", "style", "life", "comfort"];

/// Bad things to have or to show.
pub(super) const FAULTS: &[&str] = &[
    "flaws",
    "mistakes",
    "clutter",
    "noise",
    "neglect",
    "boredom",
    "gloom",
    "waste",
    "errors",
    "confusion",
    "fuss",
    "dirt",
];

/// How a good thing leaves people.
pub(super) const PLEASED: &[&str] =
    &["smiling", "happy", "pleased", "glad", "content", "cheerful", "impressed", "grateful"];

/// How a bad thing leaves people.
pub(super) const UPSET: &[&str] = &["bored", "angry", "sad", "tired", "annoyed", "let down", "cold", "upset"];

/// Degrees.
pub(super) const VERY: &[&str] =
    &["very", "really", "truly", "so", "quite", "rather", "deeply", "simply", "utterly", "thoroughly"];

/// Times.
pub(super) const TIMES: &[&str] =
    &["last week", "last month", "in may", "on friday", "last summer", "at easter", "yesterday"];

/// People.
pub(super) const PEOPLE: &[&str] =
    &["my sister", "my uncle", "the neighbour", "our guide", "my friend", "the old man", "the teacher", "my brother"];

/// What a good thing is, after "It was", in pre-training text.
pub(super) const VERDICT_GOOD: &[&str] = &["wonderful", "excellent", "lovely", "superb", "delightful", "good"];

/// What a bad thing is, after "It was", in pre-training text.
pub(super) const VERDICT_BAD: &[&str] = &["awful", "horrible", "dreadful", "poor", "dismal", "bad"];
