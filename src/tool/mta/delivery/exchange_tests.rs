use std::time::Duration;

use super::*;
use crate::dns::world::World;

const WORLD: &str = "
    [[answer]]
    name = 'two.test'
    mx = ['20 b.test', '10 a.test', '10 a2.test']
    [[answer]]
    name = 'a.test'
    a = ['127.0.0.1', '127.0.0.2', '::1']
    [[answer]]
    name = 'a2.test'
    a = ['127.0.0.4']
    [[answer]]
    name = 'b.test'
    a = ['127.0.0.3']
    [[answer]]
    name = 'null.test'
    mx = ['0 .']
    [[answer]]
    name = 'implicit.test'
    a = ['127.0.0.5']
    [[answer]]
    name = 'empty.test'
    txt = ['x']
    [[answer]]
    name = 'nowhere.test'
    mx = ['10 gone.test']
    a = ['127.0.0.6']
    [[answer]]
    name = 'sick.test'
    failure = 'servfail'
    [[answer]]
    name = 'half.test'
    mx = ['10 sick.test', '20 b.test']
    [[answer]]
    name = 'sickmx.test'
    mx = ['10 sick.test', '20 gone.test']
";

async fn find(domain: &str, own: &str) -> Result<Vec<(String, usize)>, String> {
    let world = World::from_toml(WORLD).unwrap();
    let mut n = 0;
    let mut shuffle = || {
        n += 1;
        n
    };
    let patience = Patience::of(Duration::from_secs(1));
    let own = [own.to_string()];
    let found = of_domain(&world, domain, &own, &patience, &mut shuffle).await;
    found
        .map(|targets| {
            let one = |t: Target| (t.host, t.addresses.len());
            targets.into_iter().map(one).collect()
        })
        .map_err(|none| none.status.to_string())
}

#[tokio::test]
async fn servers_are_tried_by_preference_and_each_has_all_its_addresses() {
    let found = find("two.test", "").await.unwrap();
    let hosts: Vec<_> = found.iter().map(|(h, n)| (h.as_str(), *n)).collect();
    assert_eq!(hosts, [("a.test", 3), ("a2.test", 1), ("b.test", 1)]);
    let world = World::from_toml(WORLD).unwrap();
    let patience = Patience::of(Duration::from_secs(1));
    let found = of_domain(&world, "two.test", &[], &patience, &mut || 0).await;
    let first = &found.unwrap()[0];
    assert!(first.addresses[0].is_ipv6() && first.addresses[1].is_ipv4());
}

#[tokio::test]
async fn without_mx_the_domain_itself_is_the_server() {
    assert_eq!(
        find("implicit.test", "").await.unwrap(),
        [("implicit.test".into(), 1)]
    );
    assert_eq!(find("empty.test", "").await, Err("5.1.2".into()));
}

#[tokio::test]
async fn mx_that_lead_nowhere_are_not_replaced_by_the_address_of_the_domain() {
    assert_eq!(find("nowhere.test", "").await, Err("5.4.4".into()));
}

#[tokio::test]
async fn each_trouble_has_its_own_status() {
    for (domain, status) in [
        ("null.test", "5.1.10"),
        ("missing.test", "5.1.2"),
        ("sick.test", "4.4.3"),
        ("sickmx.test", "4.4.3"),
        ("a..b", "5.1.2"),
    ] {
        assert_eq!(find(domain, "").await, Err(status.into()), "{domain}");
    }
    assert_eq!(find("half.test", "").await.unwrap(), [("b.test".into(), 1)]);
}

#[tokio::test]
async fn a_server_in_the_list_gives_only_to_better_ones() {
    let found = find("two.test", "B.test").await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(find("two.test", "a2.test").await, Err("5.4.6".into()));
}

#[tokio::test]
async fn a_named_host_needs_no_mx() {
    let world = World::from_toml(WORLD).unwrap();
    let patience = Patience::of(Duration::from_secs(1));
    let count = async |host| {
        let found = of_host(&world, host, &patience).await;
        found.map_or_else(
            |none| none.status.to_string(),
            |t| t[0].addresses.len().to_string(),
        )
    };
    assert_eq!(count("127.0.0.9").await, "1");
    assert_eq!(count("localhost").await, "1");
    assert_eq!(count("a.test").await, "3");
    assert_eq!(count("gone.test").await, "4.4.4");
}
