//! Folders under names: registered by their first task, named by people, one name a folder.

use super::super::workspaces::Named;
use super::*;

async fn works_in(ledger: &Ledger, host: &str, path: &str) {
    let mut new = new_task(RequestId::new().as_str(), "a");
    new.workspace = Some(path.into());
    new.host = Some(host.to_owned());
    ledger.keep(&new, 1000).await.unwrap();
}

#[test]
fn a_folder_is_registered_by_its_first_task() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        for (host, path) in [
            ("here", "/srv/shop"),
            ("here", "/home/ann/Shop"),
            ("there", "/srv/shop"),
            ("here", "/srv/shop"),
        ] {
            works_in(ledger, host, path).await;
        }
        let all = ledger.workspaces().await.unwrap();
        let seen: Vec<(&str, &str, &str, u64)> = (all.iter())
            .map(|one| {
                let last = one.last_task.unwrap().0;
                (
                    one.name.as_str(),
                    one.host.as_str(),
                    one.path.as_str(),
                    last,
                )
            })
            .collect();
        let expected = [
            ("shop", "here", "/srv/shop", 4),
            ("shop-2", "here", "/home/ann/Shop", 2),
            ("shop-3", "there", "/srv/shop", 3),
        ];
        assert_eq!(seen, expected);
        let reopened = Ledger::open(&room.place).await.unwrap();
        assert_eq!(reopened.workspaces().await.unwrap(), all);
    });
}

#[test]
fn people_name_and_forget_folders() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let named = async |path: &str, name: Option<&str>, expected: Named| {
            let named = ledger.name_workspace("here", path, name, at(1)).await;
            assert_eq!(named.unwrap(), expected, "{path} {name:?}");
        };
        let text = str::to_owned;
        named("/srv/shop", None, Named::New(text("shop"))).await;
        named("/srv/shop", None, Named::Already(text("shop"))).await;
        named("/srv/shop", Some("shop"), Named::Already(text("shop"))).await;
        named("/opt/shop", None, Named::New(text("shop-2"))).await;
        let taken = Named::Taken(text("shop"), text("/srv/shop"));
        named("/opt/shop", Some("shop"), taken.clone()).await;
        named("/opt/other", Some("shop"), taken).await;
        let renamed = Named::Renamed(text("shop-2"), text("old-shop"));
        named("/opt/shop", Some("old-shop"), renamed).await;
        let forget = async |name: &str| ledger.forget_workspace(name).await.unwrap();
        assert_eq!(forget("shop-2").await, None);
        assert_eq!(forget("shop").await.as_deref(), Some("/srv/shop"));
        assert_eq!(ledger.workspaces().await.unwrap().len(), 1);
        named("/opt/other", Some("shop"), Named::New(text("shop"))).await;
    });
}
