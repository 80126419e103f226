"""The main job: a page asks what a visitor should see, over real sockets, against the sandbox."""

import re
import shlex
from uuid import uuid4

import feedparser
import httpx

from tests.processes import wait_until
from tests.sites import API_KEY, Site, track

VISITOR = "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"


def recommended(client: httpx.Client, site: Site, **query: str) -> dict[str, object]:
    response = client.get(f"{site.service}/api/recommended-posts", params=query)
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


def categories(answer: dict[str, object]) -> list[set[str]]:
    posts = answer["data"]
    assert isinstance(posts, list)
    return [set(post["categories"]) for post in posts]


def product_ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [product["product_id"] for product in response.json()["data"]]


def test_a_known_reader_gets_five_posts_of_the_favourite_category(client: httpx.Client, site: Site) -> None:
    """Ada reads one category most; all five posts are of it."""
    answer = recommended(client, site, user_id="ada")

    assert (answer["personalized"], answer["degraded"]) == (True, False)
    assert len(categories(answer)) == 5
    assert set.intersection(*categories(answer))


def test_a_stranger_gets_the_newest_posts(client: httpx.Client, site: Site) -> None:
    """Nobody knows `nobody`: the newest posts of all, and the answer says that they are not personal."""
    answer = recommended(client, site, user_id="nobody")

    assert (answer["personalized"], answer["degraded"]) == (False, False)
    assert len(categories(answer)) == 5
    feed = feedparser.parse(client.get(f"{site.sandbox}/blog/feed.xml").content)
    assert [post["url"] for post in answer["data"]] == [entry.link for entry in feed.entries[:5]]  # type: ignore[attr-defined]  # a list


def test_what_a_new_visitor_reads_changes_what_is_recommended(client: httpx.Client, site: Site) -> None:
    """Eight posts of one category read, and the next uncached answer is of that category."""
    visitor = str(uuid4())
    assert recommended(client, site, anonymous_id=visitor)["personalized"] is False

    for _ in range(8):
        track(client, site.sandbox, anonymousId=visitor, event="Post Viewed", properties={"category": "Photography"})

    wait_until(lambda: recommended(client, site, anonymous_id=visitor)["personalized"], "a personal answer")
    assert all("Photography" in names for names in categories(recommended(client, site, anonymous_id=visitor)))


def test_a_bought_product_is_no_longer_shown(client: httpx.Client, site: Site) -> None:
    """The last viewed products are shown until an order contains one."""
    url = f"{site.service}/api/last-viewed-not-purchased?anonymous_id={VISITOR}"
    before = product_ids(client.get(url))
    assert len(before) == 5

    order = {"order_id": str(uuid4()), "products": [{"product_id": before[0]}]}
    track(client, site.sandbox, anonymousId=VISITOR, event="Order Completed", properties=order)

    wait_until(lambda: before[0] not in product_ids(client.get(url)), "the bought product to be gone")
    assert product_ids(client.get(url))[:4] == before[1:]


def test_the_start_prints_calls_that_work(client: httpx.Client, site: Site) -> None:
    """Every curl that the start prints is a whole command whose answer is personal."""
    commands = re.findall(r"^ +(curl .*)$", site.run.output, re.MULTILINE)
    assert len(commands) == 7

    for command in commands:
        *options, url = shlex.split(command)[1:]
        headers = dict(option.split(": ") for option in options if option != "-H")
        answer = client.get(url, headers=headers).json()
        assert answer["personalized"] is True, command
        assert answer["data"], command


def test_the_start_says_which_page_to_open(client: httpx.Client, site: Site) -> None:
    """The first thing to open is the demo, and it is there."""
    assert f"Open   {site.sandbox}/" in site.run.output
    page = client.get(f"{site.sandbox}/")
    assert page.status_code == 200
    assert "text/html" in page.headers["Content-Type"]


def test_a_page_of_the_demo_may_read_answers(client: httpx.Client, site: Site) -> None:
    """The sandbox's own origin is allowed, another is not."""
    url = f"{site.service}/api/recommended-posts?user_id=ada"
    allowed = client.get(url, headers={"Origin": site.sandbox})
    other = client.get(url, headers={"Origin": "https://elsewhere.example.com"})

    assert allowed.headers["Access-Control-Allow-Origin"] == site.sandbox
    assert "Access-Control-Allow-Origin" not in other.headers
    assert allowed.headers["Vary"] == other.headers["Vary"] == "Accept, Origin"


def test_an_unproved_user_id_is_refused_and_a_key_accepted(client: httpx.Client, site: Site) -> None:
    """A verified recipe does not answer about a guessable id, but answers our own servers."""
    url = f"{site.service}/api/last-viewed-not-purchased?user_id=ada"
    refused = client.get(url)
    accepted = client.get(url, headers={"Authorization": f"Bearer {API_KEY}"})

    assert refused.status_code == 403
    assert "API key" in refused.json()["detail"]
    assert len(product_ids(accepted)) == 5
