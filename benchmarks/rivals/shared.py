"""What every rival's script reads and writes; NumPy and the standard library alone.

`python SCRIPT DATA OUT SETTINGS SEED`: DATA holds `posts.jsonl`, the posts that are known, in time
order, `{"user", "text", "hashtags"}` each, and `lists.tsv`, user and hashtag of each pair to rank;
SETTINGS is a JSON object. OUT gets `run.trec`, `timing.json`, `memory.json`.
"""

import json
import pathlib
import re
import sys
import time

import numpy as np


class Job:
    """The posts, the lists and the settings of a script's call.

    Attributes:
        settings, seed: as given.
        posts: dictionaries of `posts.jsonl`.
        pairs: (user, hashtag) of `lists.tsv`.
        users, hashtags: names of posts and lists by number; those of posts come first.
        known: number of hashtags that a known post has.
        taggings: int `[n, 2]`, user and hashtag of each use, in time order.
    """

    def __init__(self):
        data, out, settings, seed = sys.argv[1:]
        self.out, self.settings, self.seed = pathlib.Path(out), json.loads(settings), int(seed)
        data = pathlib.Path(data)
        lines = (data / "posts.jsonl").read_text(encoding="utf-8").splitlines()
        self.posts = [json.loads(line) for line in lines]
        lines = (data / "lists.tsv").read_text(encoding="utf-8").splitlines()
        self.pairs = [tuple(line.split("\t")) for line in lines]
        uses = [(post["user"], tag) for post in self.posts for tag in post["hashtags"]]
        self.hashtags = {tag: n for n, tag in enumerate(dict.fromkeys(tag for _, tag in uses))}
        self.known = len(self.hashtags)
        names = [post["user"] for post in self.posts] + [user for user, _ in self.pairs]
        self.users = {user: n for n, user in enumerate(dict.fromkeys(names))}
        for _, tag in self.pairs:
            self.hashtags.setdefault(tag, len(self.hashtags))
        self.taggings = np.array([(self.users[user], self.hashtags[tag]) for user, tag in uses])
        self.asked = np.array([(self.users[user], self.hashtags[tag]) for user, tag in self.pairs])
        self._seconds, self._started = {}, time.monotonic()

    def lap(self, step):
        """Counts the seconds since the last lap to a step; reading the data counts to none."""
        now = time.monotonic()
        self._seconds[step] = round(now - self._started, 2)
        self._started = now

    def texts(self):
        """The known texts of each user and of each hashtag, joined; a hashtag's begins with it."""
        of_user, of_tag = [[] for _ in self.users], [[name] for name in self.hashtags]
        for post in self.posts:
            of_user[self.users[post["user"]]].append(post["text"])
            for tag in set(post["hashtags"]):
                of_tag[self.hashtags[tag]].append(post["text"])
        return list(map(" ".join, of_user)), list(map(" ".join, of_tag))

    def write(self, scores):
        """Writes the scores of `asked`, in its order, the seconds, and this process's peak."""
        self.lap("rank")
        with (self.out / "run.trec").open("w", encoding="utf-8") as file:
            for (user, tag), score in zip(self.pairs, scores, strict=True):
                file.write(f"{user} Q0 {tag} 0 {float(score):.9g} rival\n")
        (self.out / "timing.json").write_text(json.dumps(self._seconds))
        # Of Linux; `ru_maxrss` begins with what the parent had.
        status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
        (self.out / "memory.json").write_text(json.dumps({"peak_mib": round(peak / 1024)}))
