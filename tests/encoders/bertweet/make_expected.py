"""Writes what `transformers.BertweetTokenizer` makes of tweets, for test_bertweet_tokenizer.py.

    python tests/encoders/bertweet/make_expected.py FOLDER_OF_HOWYOUTAG

Needs `transformers` and `emoji==0.6.0`; run it only to change the cases. It learns a small merges
file (bpe.codes) and vocabulary (vocab.txt) by fastBPE's rule on the tweets of train.csv, and writes
expected.json: ids of the invented tweets below, and for the real ones, which are not ours to copy,
a checksum of the ids of each.
"""

import collections
import hashlib
import itertools
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
INVENTED = [
    "",
    "   ",
    "Good morning @someone, look: https://t.co/AbC123 #monday",
    "I can't, won't & cannot do that. She's late, they've left, I'm here, we'll see, he'd go",
    "It's 5 p.m. and then 6 a.m. already",
    "Meet at 5 p . m . or 6 a . m . ok",
    "soooooo goooood!!!!!!! ??????? -------- ...... …",
    "he said ’no’ and “yes”… really",
    "&amp; &lt;b&gt; &quot;x&quot; &#39;y&#39; &#x1F600; &#128512; "
    "&nbsp; &xi; &bogus; &#150; &#129;",
    "❤ 😂😂😂 🎉 👍🏽 👩‍👩‍👧 ❤️ 🇩🇪 ☕",
    "عربي نص #هاشتاج و @مستخدم",
    "日本語のツイート #日本 カタカナ",
    "Größe Straße naïve façade Ünïcödé",
    "mail foo.na@example.com or me+you@mail.co.uk now",
    "www.example.com/x?y=1&z=(2) example.org foo.bar/baz http://a.b/c_(d)_e).",
    "call 555-1234 or +1 (800) 555-1234 or 0123 456 7890",
    ":) :-( ;P =D 8-) <3 :'( D: xD :/ :\\ [: http:/",
    "-> <- --> <-- <html> </b> <a b>",
    "#tag #two_words #3 ## #- #a #ab's # hash",
    "1,000 3.14 1/2 10:30 5-6 +7 -8 1,000,000",
    "rock'n'roll mother-in-law snake_case a_ _b ab a' 'b",
    "x" * 200,
    "tab\tnewline\nform\x0cfeed\u00a0nbsp\u3000wide\u2028line",
    "zero\u200bwidth joiner\u200dhere soft\u00adhyphen",
    "²³½ ⒶⒷ 🅰🅱 Ⅷ ٣٤٥ १२३",
    "n't isn't n 't ca n't ai n't can't ain't",
    "RT @user_name: “quote” via @other… http…",
    "HTTP://CAPS.COM WWW.CAPS.COM httpfoo wwwbar",
    "@ alone @@double @a@b",
    "....... . . . !!!! ???? 。。。。。 ！！！！",
]


def learn(words, count):
    """Merges of fastBPE: the most frequent pair first, ties by order."""
    texts = [((*word[:-1], word[-1] + "</w>"), times) for word, times in words.items()]
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, times in texts:
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        if not pairs:
            break
        best = max(sorted(pairs), key=pairs.get)
        merges.append((*best, pairs[best]))
        merged = []
        for word, times in texts:
            new, index = [], 0
            while index < len(word):
                if word[index : index + 2] == best:
                    new.append("".join(best))
                    index += 2
                else:
                    new.append(word[index])
                    index += 1
            merged.append((tuple(new), times))
        texts = merged
    pieces = collections.Counter()
    for word, times in texts:
        for piece in word[:-1]:
            pieces[piece + "@@"] += times
        pieces[word[-1].removesuffix("</w>")] += times
    return merges, pieces


def main():
    from transformers import BertweetTokenizer

    real = []
    with open(pathlib.Path(sys.argv[1]) / "train.csv", encoding="utf-8", newline="\n") as file:
        for line in file:
            real.append(line.rstrip("\n").split("\t")[0])
    real = list(dict.fromkeys(real))[:2000]
    vocab, codes = HERE / "vocab.txt", HERE / "bpe.codes"
    vocab.write_text("the 1\n")
    codes.write_text("t h 1\n")
    bare = BertweetTokenizer(str(vocab), str(codes), normalization=True)
    words = collections.Counter(
        word for text in real for word in bare.normalizeTweet(text).split() if len(word) < 20
    )
    merges, pieces = learn(words, 1000)
    codes.write_text("".join(f"{a} {b} {n}\n" for a, b, n in merges), encoding="utf-8")
    common = [piece for piece, times in pieces.most_common() if times > 1]
    vocab.write_text("".join(f"{p} {pieces[p]}\n" for p in common), encoding="utf-8")
    tokenizer = BertweetTokenizer(str(vocab), str(codes), normalization=True)

    def ids(text):
        return tokenizer.convert_tokens_to_ids(tokenizer._tokenize(text))

    def checksum(text):
        return hashlib.sha256(" ".join(map(str, ids(text))).encode()).hexdigest()[:8]

    signs = sorted({sign for text in ["😀", *INVENTED, *real] for sign in text})
    names = {sign: tokenizer.demojizer(sign) for sign in signs if ord(sign) > 127}
    expected = {
        "emoji_names": {sign: name for sign, name in names.items() if name != sign},
        "invented": [
            {"text": text, "normalized": tokenizer.normalizeTweet(text), "ids": ids(text)}
            for text in INVENTED
        ],
        "real": {hashlib.sha256(text.encode()).hexdigest()[:16]: checksum(text) for text in real},
    }
    (HERE / "expected.json").write_text(
        json.dumps(expected, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
