//! Models come, whole and checked, and are found again.

use std::fs;

use polder_hub::{Doing, Hub, Settings, Token};
use polder_hub_server::{Fault, READER, Rule, TOKEN};

use crate::place::{Place, address, failure, large};

#[test]
fn a_model_comes_once_into_the_standard_cache() {
    let place = Place::with_model();
    let mut heard = Vec::new();
    let model = place
        .hub()
        .model(&address("hf://o/n"), &mut |p| {
            assert_eq!(p.doing, Doing::Fetching);
            heard.push((p.file.to_owned(), p.done, p.total));
        })
        .unwrap();
    let commit = place.server.store().repo("o/n").head("main").unwrap();
    assert_eq!(model.address, address(&format!("hf://o/n@{commit}")));
    let root = place.path("cache/hub/models--o--n");
    assert_eq!(model.path, root.join("snapshots").join(&commit));
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), commit);
    assert_eq!(fs::read(model.path.join("model.safetensors")).unwrap(), large());
    assert!(fs::read(model.path.join("tokenizer.json")).unwrap().is_empty());
    assert!(!model.path.join("README.md").exists(), "only what a model needs");
    let link = fs::read_link(model.path.join("model.safetensors")).unwrap();
    assert!(link.starts_with("../../blobs") && link.file_name().unwrap().len() == 64, "{link:?}");
    assert!(heard.iter().any(|(file, done, total)| file == "model.safetensors" && done == total && *total == 300_000));

    // The token goes to the Hub, never to the storage.
    for seen in place.server.seen() {
        let own = seen.host.starts_with("127.0.0.1");
        assert_eq!(seen.token.as_deref(), own.then_some(TOKEN), "{seen:?}");
    }
    assert!(place.server.seen().iter().any(|seen| seen.host.starts_with("localhost")));

    // A commit that is there is not asked for; a branch is, but its files do not come again.
    place.server.forget();
    assert_eq!(place.hub().model(&model.address, &mut |_| {}).unwrap().path, model.path);
    assert_eq!(place.server.seen(), []);
    assert_eq!(place.hub().model(&address("hf://o/n"), &mut |_| {}).unwrap().path, model.path);
    assert_eq!(place.server.seen().len(), 1);
    assert_eq!(place.offline().model(&address("hf://o/n@main"), &mut |_| {}).unwrap().path, model.path);
    assert_eq!(place.server.seen().len(), 1);
}

#[test]
fn shards_come_together() {
    let place = Place::new();
    {
        let mut store = place.server.store();
        let repo = store.repo("o/n");
        repo.put("main", "config.json", b"{}", false);
        repo.put("main", "model.safetensors.index.json", b"{\"weight_map\": {}}", false);
        for shard in 1..=6u8 {
            // Two of them have the same contents, which come once.
            let bytes = vec![shard.min(5); 100_000];
            repo.put("main", &format!("model-{shard:05}-of-00006.safetensors"), &bytes, true);
        }
    }
    // None of the first four is answered before all four have asked.
    place.server.fault(Rule { on: "GET /storage", after: 0, times: 4, fault: Fault::Together(4) });
    let (mut heard, caller) = (Vec::new(), std::thread::current().id());
    let hub = Hub::new(Settings { retries: 0, ..place.settings() });
    let model = hub
        .model(&address("hf://o/n"), &mut |p| {
            assert_eq!(std::thread::current().id(), caller);
            heard.push((p.file.to_owned(), p.done == p.total));
        })
        .unwrap();
    for shard in 1..=6u8 {
        let name = format!("model-{shard:05}-of-00006.safetensors");
        assert_eq!(fs::read(model.path.join(&name)).unwrap(), vec![shard.min(5); 100_000]);
        assert!(shard >= 5 || heard.contains(&(name, true)), "{heard:?}");
    }
    let storage = place.server.seen().iter().filter(|seen| seen.line.contains("/storage")).count();
    assert_eq!(storage, 5);
}

#[test]
fn without_an_answer_the_cache_stands_in_and_says_so() {
    let place = Place::with_model();
    let said = failure(place.alone().model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("`o/n`") && said.contains("refuses connections") && said.contains("hint: "), "{said}");
    let said = failure(place.offline().model(&address("hf://o/n"), &mut |_| {}));
    assert!(
        said.contains("hf://o/n@main") && said.contains("never fetched") && said.contains("HF_HUB_OFFLINE"),
        "{said}"
    );
    let model = place.hub().model(&address("hf://o/n"), &mut |_| {}).unwrap();
    assert_eq!(model.note, None);
    let again = place.alone().model(&address("hf://o/n"), &mut |_| {}).unwrap();
    assert_eq!(again.path, model.path);
    assert!(again.note.unwrap().contains("copy in the cache"));
    // What lacks a file is not taken for whole.
    fs::remove_file(model.path.join("tokenizer.json")).unwrap();
    let said = failure(place.offline().model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("`tokenizer.json` was never fetched"), "{said}");
}

#[test]
fn revisions_files_and_pages() {
    let place = Place::with_model();
    let first = place.server.store().repo("o/n").head("main").unwrap();
    {
        let mut store = place.server.store();
        store.page = 2;
        let repo = store.repo("o/n");
        repo.put("refs/pr/1", "config.json", b"{\"pr\": 1}", false);
        for name in ["refs/pr/1", "main"] {
            repo.put(name, "m.Q4.gguf", b"GGUF", true);
            repo.put(name, "sub/config.json", b"{}", false);
            repo.put(name, "sub/model.safetensors", b"sub", true);
        }
    }
    let fetch = |text: &str| place.hub().model(&address(text), &mut |_| {});
    let pinned = fetch(&format!("hf://o/n@{first}")).unwrap();
    assert_eq!(fs::read(pinned.path.join("config.json")).unwrap(), b"{}");
    assert!(!place.path("cache/hub/models--o--n/refs").exists(), "a commit is no branch");
    let gguf = fetch("hf://o/n/m.Q4.gguf").unwrap();
    assert_eq!((fs::read(&gguf.path).unwrap(), gguf.address.inside.as_deref()), (b"GGUF".to_vec(), Some("m.Q4.gguf")));
    let sub = fetch("hf://o/n@main/sub").unwrap();
    assert_eq!(fs::read(sub.path.join("model.safetensors")).unwrap(), b"sub");
    let said = failure(fetch("hf://o/n@v9"));
    assert!(said.contains("no revision `v9`") && said.contains("hint: "), "{said}");
    let said = failure(fetch("hf://o/n/other.gguf"));
    assert!(said.contains("other.gguf") && said.contains("`m.Q4.gguf`"), "{said}");
    let said = failure(fetch("hf://o/none"));
    assert!(said.contains("no repository `o/none`") && said.contains("HF_TOKEN"), "{said}");
    place.server.store().moved.insert("old/name".to_owned(), "o/n".to_owned());
    assert!(fetch("hf://old/name").unwrap().path.join("model.safetensors").exists());
}

#[test]
fn private_gated_and_refused() {
    let place = Place::with_model();
    let with = |token: &str| Hub::new(Settings { token: Token::new(token, "").unwrap(), ..place.settings() });
    place.server.store().repo("o/n").gated = true;
    let said = failure(with(READER).model(&address("hf://o/n"), &mut |_| {}));
    assert!(said.contains("`o/n` is gated") && said.contains("/o/n and set HF_TOKEN"), "{said}");
    place.server.store().repo("o/n").private = true;
    for token in ["", READER] {
        let said = failure(with(token).model(&address("hf://o/n"), &mut |_| {}));
        assert!(said.contains("no repository `o/n`") && said.contains("private"), "{said}");
    }
    // The server repeats the token; the error does not.
    let error = with("xyz_wrongtoken").model(&address("hf://o/n"), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("does not accept the token: Invalid credentials ***"), "{error}");
    assert!(place.hub().model(&address("hf://o/n"), &mut |_| {}).is_ok());
}
