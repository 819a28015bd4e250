//! Folders go, in one commit, once.

use std::fs;

use polder_hub::{Doing, Hub, PublishOptions, Published, Result, Settings, Token, Upload};
use polder_hub_server::{Fault, READER, Rule, TOKEN};

use crate::place::{Place, address, failure, large};

fn uploads(place: &Place, files: &[(&str, &[u8])]) -> Vec<Upload> {
    let folder = place.path("run");
    fs::create_dir_all(&folder).unwrap();
    let upload = |(path, bytes): &(&str, &[u8])| {
        let file = folder.join(path);
        fs::write(&file, bytes).unwrap();
        Upload { path: (*path).to_owned(), file }
    };
    files.iter().map(upload).collect()
}

fn model(place: &Place) -> Vec<Upload> {
    uploads(
        place,
        &[("README.md", b"# card"), ("config.json", b"{}"), ("empty.bin", b""), ("model.safetensors", &large())],
    )
}

fn options() -> PublishOptions {
    PublishOptions { message: "a run".to_owned(), ..PublishOptions::default() }
}

fn publish(hub: &Hub, files: &[Upload], options: &PublishOptions) -> Result<Published> {
    hub.publish(&address("hf://polder/new"), files, options, &mut |_| {})
}

fn lines(place: &Place, what: &str) -> usize {
    place.server.seen().iter().filter(|seen| seen.line.contains(what)).count()
}

#[test]
fn a_folder_goes_in_one_commit_and_only_once() {
    let place = Place::new();
    let files = model(&place);
    let mut heard = Vec::new();
    let done = place
        .hub()
        .publish(&address("hf://polder/new"), &files, &PublishOptions { private: true, ..options() }, &mut |p| {
            heard.push((p.doing, p.file.to_owned(), p.done, p.total));
        })
        .unwrap();
    assert_eq!(done.sent.len(), 4);
    assert_eq!(done.page, format!("{}/polder/new", place.server.endpoint()));
    {
        let mut store = place.server.store();
        let repo = store.repo("polder/new");
        assert!(repo.private);
        assert_eq!(repo.messages[1..], ["a run"]);
        assert_eq!(repo.head("main").unwrap(), done.commit);
        assert_eq!(repo.file("main", "model.safetensors"), Some((large().as_slice(), true)));
        assert_eq!(repo.file("main", "config.json"), Some((b"{}".as_slice(), false)));
        assert_eq!(repo.file("main", "empty.bin"), Some((b"".as_slice(), false)), "an empty file is none of the large");
        assert_eq!(store.verified.len(), 1);
    }
    assert!(heard.iter().any(|(d, f, n, t)| *d == Doing::Sending && f == "model.safetensors" && n == t));
    for seen in place.server.seen() {
        let own = seen.host.starts_with("127.0.0.1");
        assert_eq!(seen.token.as_deref(), own.then_some(TOKEN), "{seen:?}");
    }

    place.server.forget();
    let again = publish(&place.hub(), &files, &options()).unwrap();
    assert_eq!((again.commit, again.sent.len(), again.unchanged.len()), (done.commit, 0, 4));
    assert_eq!((lines(&place, "/commit/"), lines(&place, "PUT")), (0, 0));
}

#[test]
fn nothing_is_replaced_unasked() {
    let place = Place::new();
    publish(&place.hub(), &model(&place), &options()).unwrap();
    let changed = uploads(&place, &[("README.md", b"# other"), ("config.json", b"{}"), ("new.txt", b"new")]);
    let said = failure(publish(&place.hub(), &changed, &options()));
    assert!(
        said.contains("`polder/new` holds other versions of `README.md`\n") && said.contains("--overwrite"),
        "{said}"
    );
    let done = publish(&place.hub(), &changed, &PublishOptions { overwrite: true, ..options() }).unwrap();
    assert_eq!(
        (done.sent, done.unchanged),
        (vec!["README.md".to_owned(), "new.txt".to_owned()], vec!["config.json".to_owned()])
    );
    let mut store = place.server.store();
    let paths = store.repo("polder/new").paths("main");
    assert!(paths.contains(&"model.safetensors".to_owned()), "what is not named stays: {paths:?}");
}

#[test]
fn a_branch_is_made_and_parts_that_break_off_go_again() {
    let place = Place::new();
    place.server.store().part = 70_000;
    place.server.fault(Rule::once("PUT /storage", Fault::Drop));
    place.server.fault(Rule { on: "PUT /storage", after: 2, times: 1, fault: Fault::Lost });
    let own = PublishOptions { revision: Some("exp/1".to_owned()), ..options() };
    let done = publish(&place.hub(), &model(&place), &own).unwrap();
    let mut store = place.server.store();
    let repo = store.repo("polder/new");
    assert_eq!(repo.head("exp/1"), Some(done.commit));
    assert_eq!(repo.file("exp/1", "model.safetensors"), Some((large().as_slice(), true)));
    assert_eq!(repo.file("main", "model.safetensors"), None);
}

#[test]
fn parts_go_together() {
    let place = Place::new();
    place.server.store().part = 70_000;
    place.server.fault(Rule { on: "PUT /storage", after: 0, times: 4, fault: Fault::Together(4) });
    let hub = Hub::new(Settings { retries: 0, ..place.settings() });
    let mut heard = Vec::new();
    let done = hub.publish(&address("hf://polder/new"), &model(&place), &options(), &mut |p| {
        if p.doing == Doing::Sending {
            heard.push((p.done, p.total));
        }
    });
    let mut store = place.server.store();
    let repo = store.repo("polder/new");
    assert_eq!(repo.head("main"), Some(done.unwrap().commit));
    assert_eq!(repo.file("main", "model.safetensors"), Some((large().as_slice(), true)));
    assert_eq!(heard.iter().max(), Some(&(300_000, 300_000)), "all parts make the file");
}

#[test]
fn what_broke_off_goes_on() {
    // The weights went, then the network.
    let place = Place::new();
    let rule = Rule { on: "/commit/", after: 0, times: 100, fault: Fault::Drop };
    place.server.fault(rule);
    let said = failure(publish(&place.hub(), &model(&place), &options()));
    assert!(said.contains("no answer"), "{said}");
    assert_eq!(place.server.store().repo("polder/new").messages.len(), 1);
    // A new server's rules are none; the same one is told to work again by a place of its own.
    let place = Place::new();
    place.server.fault(Rule { on: "/commit/", after: 0, times: 3, fault: Fault::Drop });
    failure(publish(&place.hub(), &model(&place), &options()));
    place.server.forget();
    let done = publish(&place.hub(), &model(&place), &options()).unwrap();
    assert_eq!((done.sent.len(), lines(&place, "PUT")), (4, 0), "large contents do not go twice");
}

#[test]
fn a_commit_whose_answer_is_lost_is_made_once() {
    let place = Place::new();
    place.server.fault(Rule::once("/commit/", Fault::Lost));
    let done = publish(&place.hub(), &model(&place), &options()).unwrap();
    let mut store = place.server.store();
    let repo = store.repo("polder/new");
    assert_eq!(repo.messages[1..], ["a run"]);
    assert_eq!((repo.head("main").unwrap(), done.sent.len()), (done.commit, 4));
}

#[test]
fn busy_servers_are_waited_for_and_others_commits_are_seen() {
    for (status, on) in
        [(500, "POST"), (503, "PUT"), (429, "preupload"), (502, "/objects/batch"), (412, "/commit/"), (409, "/commit/")]
    {
        let place = Place::new();
        let fault = Fault::Answer { status, headers: vec![("Retry-After", "0".to_owned())], body: String::new() };
        place.server.fault(Rule::once(on, fault));
        let done = publish(&place.hub(), &model(&place), &options()).unwrap();
        assert_eq!(place.server.store().repo("polder/new").head("main"), Some(done.commit), "{status} {on}");
    }
    let place = Place::new();
    place.server.fault(Rule::status("/commit/", 412));
    let said = failure(publish(&place.hub(), &model(&place), &options()));
    assert!(said.contains("changed by somebody else") && said.contains("run the same command again"), "{said}");
}

#[test]
fn who_may_not_is_told_what_to_do() {
    let place = Place::new();
    let files = model(&place);
    let with = |token: &str| Hub::new(Settings { token: Token::new(token, "").unwrap(), ..place.settings() });
    let said = failure(publish(&with(""), &files, &options()));
    assert!(
        said.contains("`polder/new` needs a token") && said.contains("/settings/tokens") && said.contains("HF_TOKEN"),
        "{said}"
    );
    assert_eq!(place.server.seen(), [], "nothing is asked without one");
    let said = failure(publish(&with(READER), &files, &options()));
    assert!(said.contains("does not allow this") && said.contains("write access"), "{said}");
    let error = publish(&with("xyz_wrong"), &files, &options()).unwrap_err().to_string();
    assert!(error.contains("does not accept the token: Invalid credentials ***"), "{error}");
    let said = failure(place.hub().publish(&address("hf://stranger/new"), &files, &options(), &mut |_| {}));
    assert!(said.contains("under the namespace \"stranger\""), "{said}");
    let said = failure(publish(&place.offline(), &files, &options()));
    assert!(said.contains("offline mode") && said.contains("--dry-run"), "{said}");
    let said = failure(publish(&place.alone(), &files, &options()));
    assert!(said.contains("refuses connections"), "{said}");
    let mut gone = files.clone();
    gone[0].file = place.path("nowhere");
    assert!(failure(publish(&place.hub(), &gone, &options())).contains("cannot read"));
}
