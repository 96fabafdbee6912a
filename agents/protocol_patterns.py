"""The words by which the protocol knows a request, as patterns over a clause in small letters.

Each alternative stands on its own; repeats are bounded, so that looking at a clause is linear in its length.
"""

from __future__ import annotations

import re

from wetread.agents.protocol_spelling import MASK


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


_VERBS = (
    r"read|draft|report|redraft|re-?read|start|measure|segment|outline|classify|compare|explain|tell|show|print|find|"
    r"drop|remove|delete|strike|erase|omit|change|edit|replace|rewrite|reword|rephrase|correct|add|append|insert|sign|"
    r"finali[sz]e|approve|release|export|save|send|undo|help|check|summari[sz]e|give|why|is|are|do|does|what|open|list|"
    r"s\d{1,4} (?:should|must|has to|needs to)|s\d{1,4}:"
)
_POLITE = (
    r"(?:(?:please|pls|plz|kindly|then|also|now|next|and|but|so|ok|okay|well|hi|hello|hey|thanks|just|quickly|maybe|"
    r"(?:can|could|would|will) (?:you|we|i)|(?:i|we) (?:want|need)(?: you)? to|i(?:'d| would) like(?: you)? to|let's|"
    r"let us|let me|go ahead and|be so kind as to|i wonder if|would you mind|doctor|dear|wetread|"
    r"tell me (?=why|what|how|where))\b[\s,:.!-]{0,3})"
)
BORDER = _any(
    r"(?<!\bdr)(?<!\bmr)(?<!\bms)(?<!\bmrs)(?<!\bprof)(?<!\bvs)([.!?;]{1,9})(?:\s+|$)",
    r"\n+",
    rf",?\s+(?:and|then|but)\s+(?={_POLITE}{{0,3}}(?:{_VERBS})(?:\b|(?<=:)))",
    rf",\s+(?={_POLITE}{{0,3}}(?:{_VERBS})(?:\b|(?<=:)))",
)
LEAD = re.compile(rf"\s*{_POLITE}{{0,6}}")
TAIL = re.compile(r"[,\s]{1,3}(?:please|pls|plz|for me|thanks|thank you|now)$")

IDS_ALONE = re.compile(r"[es]\d{1,5}(?:[\s,]+(?:and )?[es]\d{1,5}){0,20}")
"""The beginning of a clause whose own ids a border cut off: "S2 and S5 should go"."""

ID = re.compile(r"(?<!\w)\[?([se]\s?\d{1,5})\]?(?!\w)")
IMAGE = re.compile(r"\bimage[ _]?([1-9]\d{0,3})\b")
QUOTE = re.compile(f"[\"“«']({MASK}+)[\"”»']")
SIDES = _any(
    r"\b(left|right)(?:[ -]sided?)?\b[\s,-]{1,3}(?:and |but )?(?:not|instead of|rather than)\s+"
    r"(?:(?:on|in) )?(?:the )?(left|right)\b",
    r"\bnot (?:on |in )?(?:the )?(left|right)\b[\s,-]{1,3}(?:but |it is |it's |rather )?(?:on |in )?"
    r"(?:the )?(left|right)\b",
    r"^(?:change|switch|swap|replace|correct)\b.{0,20}?\b(left|right)\b (?:to|into|with|by|for) (?:the )?"
    r"(left|right)\b",
)

FORBIDDEN = _any(
    r"https?:|www\.|(?:^|\s)[~/]\S|\brm -",
    r"\b(?:files?|folders?|director(?:y|ies)|urls?|links?|website|internet|shell|terminal|password|credentials|"
    r"prompts?|instructions?|disk|database|e-?mail|fax|sql|script)\b",
)
SIGN = _any(
    r"^(?:sign|co-?sign|finali[sz]e|approve|authenticate|attest|release|sign off)\b(?! of\b)",
    r"(?<!a )(?<!the )(?<!no )(?<!any )\bsign (?:it|this|the|off|as|for)\b",
)

PRELIMINARY = re.compile(r"\bprelim(?:inary)?\b")
RELEASED = _any(
    r"^(?:make|mark|set|keep|leave|save|issue)\b.{0,30}\b(?:as )?prelim(?:inary)?$",
    r"^prelim(?:inary)?(?: it| release)?$",
)
"""Ways to ask for a release that name no verb of signing."""

FOREIGN = re.compile(
    r"\b(?:der|das|ist|sind|nicht|und|oder|wie|welche[rs]?|bitte|ein|eine[nmrs]?|auf|zeig|zeige|lies|miss|gibt|warum|"
    r"wieso|herzgr\w+|le|les|une|est|sont|avec|dans|pourquoi|montre|lire|coeur|c\u0153ur|el|los|las|una|es|"
    r"qu[e\u00e9]|hay|mide|muestra|lee|coraz\u00f3n|il|della|sono|leggi|misura|cuore)\b"
)
ENGLISH = re.compile(r"\b(?:the|is|are|of|to|and|what|there|how|any|this|that|it|change|remove|drop|add)\b")
"""Words that are in requests in other languages and in few in English; and words of which English ones have some."""

# corrections
ITEM = r"(?:sentence|line|statement|one|item|point|finding|remark|thing|part|bit)s?"
ADD = re.compile(r"^(add|append|insert|include|write|put|state|note)\b")
EDIT = re.compile(
    r"^(?:change|edit|replace|rewrite|reword|rephrase|correct|modify|update|set|make|amend|turn)\b"
)  # fmt: skip
SHOULD = re.compile(
    r"\b(?:should|must|has to|needs to|ought to|shall|is to)\s+(?:rather |instead |better )?"
    r"(?:say|read|be|state)\b\s*:?|(?<=\d) to (?:say|read|state)\b\s*:?"
)
REPLACED = re.compile(
    r"\s*(?:the )?([^\"]{1,60}?) (?:to|into|with|by|for) (?:the )?([^\"]{1,60}?),? (?:in|of) \[?s\d{1,5}\]?"
)
BETWEEN = re.compile(r"\s*(?:to|into|with|by|for)\s*")
ON_A_SIDE = re.compile(r"\s*(?:on |in )?(?:the )?(left|right)(?:[ -]sided?| side)?")
REJECT = _any(
    r"^(?:drop|remove|delete|strike|erase|omit|cut|scratch|reject|take out|get rid of|leave out|throw out|cross out|"
    r"kill|lose)\b",
    r"\b(?:should|must|can|has to|needs to) (?:be )?(?:go|removed|deleted|dropped|struck)$",
)
JOINT = _any(
    r"\s+(?:to(?:\s+(?:say|read|be|state))?|with|as|by|into)\b\s*:?\s*",
    r"\s*[:=]\s*",
    r"\s*,?\s*(?=[\"“«])",
)
COLON = re.compile(r"\[?s\d{1,5}\]?\s*(?:[:=]|[-=]>|→)\s*")
ORDINAL = re.compile(
    r"\b(?:(?:very )?(last|final|first|second|third|fourth|fifth)|(\d{1,2})(?:st|nd|rd|th)) "
    rf"(?:(two|three|four|[2-4]) )?(?:{ITEM}|of\b|$)"
)
IN = re.compile(r"\b(?:of|in|from|under) (?:the )?([a-z][a-z &_]{2,40})$")
ABOUT = re.compile(
    rf"\b{ITEM} (?:about|on|with|regarding|concerning|mentioning|"
    r"(?:that|which) (?:mentions?|says?|is about|speaks? of))\s+(?:the |a |an )?(.{2,120})$"
)

# the report and the conversation
HELP = _any(
    r"^(?:help|\?|commands?|options?|usage|menu)\b",
    r"\bwhat (?:else )?can (?:you|i|we)\b(?! see| find)",
    r"\bhow (?:do|can|should) (?:i|we) (?!know)",
    r"\bwhat do you (?:do|understand)\b",
)
AGAIN = _any(
    r"\b(?:re-?draft|re-?read|start over|from scratch|new draft)\b",
    r"^(?:read|draft|report|do|write|try|start|run|make|go|interpret|analy[sz]e)\b.{0,30}"
    r"\b(?:again|anew|afresh|once more|over)\b",
)
PICTURE = re.compile(
    r"^(?:show|display|view|see|open)\b.{0,40}"
    r"\b(?:image|picture|x-?ray|radiograph|film|mask|box|boxe|overlay)s?\b"
)
ISSUES = re.compile(
    r"\b(?:issues?|objections?|warnings?|problems?|wrong with the (?:report|draft))\b"
)  # fmt: skip
WHY = _any(
    r"^(?:why|explain|justify|how come)\b",
    r"\bbased on\b|^based\b",
    r"\bwhere (?:does|do|did|is|are|was)\b.{1,60}\bfrom\b",
    r"\bhow (?:do|did|can) (?:you|we|i|it|they) (?:know|measure|compute|calculate|get|derive)\b",
    r"\bwhat (?:supports|backs|speaks for|makes you)\b",
    r"\bevidence (?:for|behind|of|on)\b",
    r"\bwhat is (?:the )?(?:evidence|e\d|s\d)",
    r"\bhow (?:was|were|is|did) .{1,60}\b(?:derived|computed|calculated|obtained|measured)\b",
    r"\bsource of\b|\bproof (?:of|for)\b",
    r"^(?:what|who|which|where|how|show|tell|open|about)\b.{0,40}\b[se]\d{1,5}\b",
    r"^(?:statement |evidence )?\[?[se]\d{1,5}\]?$",
)
SHOW = re.compile(
    r"^(?:show|print|display|view|open|see|list|give|read me|read out|where is)\b.{0,30}"
    r"\b(?:report|draft|impression|findings|statements?|sentences)\b"
)
THANKS = re.compile(
    r"^(?:thanks?|thank you|thx|ok|okay|good|great|fine|nice|perfect|yes|no|yep|nope|hello|hi|hey|cool|done|"
    r"good (?:morning|evening|afternoon))(?:[ ,]{1,3}(?:a lot|very much|so much|you|there|thanks|job|work))*$"
)
READ = _any(
    r"^(?:read|draft|report|go|start|begin|interpret|analy[sz]e|proceed|continue|resume|run|assess|evaluate|look at|"
    r"dictate)(?: (?:it|this|that|on|ahead|out|up|now|the|a|an|study|images?|chest|x-?ray|radiograph|film|cxr|case|"
    r"report|reading|draft|for|me|please|with|all|everything|preliminary|wet|quick|full|whole|patient|scan|exam|"
    r"examination|picture|these|them|findings|and))*(?:, .*)?$",
    r"^(?:do it|write it(?: up)?)$",
    r"^(?:do|make|write|give|create|prepare|generate|produce|get|need|want|compose)(?: (?:me|us|up))?"
    r" (?:(?:(?:the|a|an|this|your|new|full|whole|preliminary|quick|wet|short|first|structured|complete) ){0,4}"
    r"(?:report|read|reading|draft))(?: .{0,40})?$",
    r"^(?:(?:the |a )?(?:wet read|reading|report)|what does (?:it|this|the (?:image|study|x-?ray|film)) show)$",
)
COMMANDS = (
    (re.compile(r"^(?:undo|revert|take (?:it|that) back)\b"), "/undo"),
    (_any(r"^(?:export|download|convert)\b", r"\b(?:as|to) (?:pdf|fhir|docx|word|dicom|html|json)\b"), "/export"),
    (re.compile(r"^(?:save|store|keep)\b"), "/save"),
    (re.compile(r"^(?:quit|exit|bye|goodbye|leave|close)\b"), "/quit"),
    (_any(r"^(?:use|take|switch|change|set|pick|choose)\b.{0,30}\btemplate\b", r"^templates?$"), "/template"),
    (_any(r"^(?:use|switch|change|set|pick|choose)\b.{0,30}\bmodel\b", r"^models?$"), "/model"),
    (re.compile(r"\b(?:cost|price|tokens|spent)\b"), "/cost"),
    (re.compile(r"^(?:review|accept|confirm|agree)\b"), "/review"),
    (_any(r"^(?:give|attach|load|add)\b.{0,12}\b(?:prior|previous)\b", r"\badd a prior\b"), "/prior"),
    (re.compile(r"^(?:new|next|another) (?:study|case|conversation|session)\b"), "/new"),
    (re.compile(r"^(?:stop|cancel|abort)\b"), "/cancel"),
)

# the images
QUESTION = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|any|see|find|detect|spot|check|look|rule|exclude|confirm|what about|"
    r"how about|tell me about|about|where|could|can|might|which side|what side|tell me (?:if|whether)|search|"
    r"anything|signs? of)\b"
)
SIMILAR = _any(
    r"\bsimilar\b",
    r"\blook[ -]?alikes?\b",
    r"\bcomparable (?:cases?|patients?|images?|studies)\b",
    r"\bcases? like this\b",
)
CLASSIFY = re.compile(
    r"\bclassif\w+|\bprobabilit(?:y|ies)\b|\bhow (?:likely|probable)\b|\bzero[ -]shot\b"
)  # fmt: skip
SEGMENT = _any(
    r"^(?:segment\w*|outline|contour|delineate|trace)\b",
    r"\b(?:masks?|segmentation|contours?) (?:of|for)\b",
)
MEASURE = _any(
    r"\bmeasur(?:e|es|ing|ements?)\b",
    r"\bctr\b|\bcardio-?thoracic\b|^ratio$|\bthe ratio\b",
    r"\bdiameters?\b",
    r"\bareas? of\b|^areas?\b|\b(?:lungs?'?s?|heart'?s?) areas?\b",
    r"\bhow (?:big|large|wide|broad|long)\b|\bsize of\b|\b(?:heart|lungs?|mass|nodule|lesion)(?:'s|s')? size\b",
)
CHANGE = _any(
    r"\b(?:compar(?:e|ed|es|ing|ison)|chang(?:e|es|ed|ing)|new(?:er|ly)?|difference|differs?|interval|last time)\b",
    r"\bsince (?:the )?(?:last|prior|previous|yesterday|then)\b",
    r"\b(?:larger|bigger|smaller|worse(?:n\w*)?|better|stable|unchanged|gr(?:own|ew|owing))\b",
    r"\b(?:improv|progress|regress|resolv|increas|decreas)\w*",
    r"\b(?:prior|previous|earlier) (?:stud\w+|exam\w*|image|film|radiograph|report|x-?ray)\b",
)
CHANGE_ASKED = re.compile(r"\bcompar|\bchanges?\b|\bwhat\b")
OVERVIEW = _any(
    r"^what (?:do|did|can|have) (?:you|it|the tools?|they) (?:see|seen|find|found|say)\b",
    r"^(?:the )?(?:findings|results?|summary|summari[sz]e)\b",
    r"\b(?:anything|something|what is|what's|everything) "
    r"(?:abnormal|wrong|else|ok|fine|unusual|there|suspicious|normal)\b",
    r"^(?:is|does) (?:it|this|everything|the study|the image)(?: look)? (?:normal|ok|fine|abnormal)\b",
    r"\babnormalit(?:y|ies)\b",
    r"^give me (?:a |the )?(?:summary|findings|overview)",
)
