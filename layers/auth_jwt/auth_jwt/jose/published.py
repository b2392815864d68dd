"""Recognizes keys that everybody has: blank keys, and keys printed in RFCs or on pages that people copy from."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auth_jwt.jose.asymmetric import PublicKey

_FINGERPRINT_CHARACTERS: Final = 12
"""72 bits. Nobody gains by a collision, since it only refuses a key. It refuses one random key in 10^18."""

FINGERPRINTS: Final = (
    "-4G8eQTIkZnD -hYx8MKhI4uY -ugd1qGIdtPr 0Eqyp-TW9QKq 0J8n5Z0A3YPA 0ZcOCORZNYy- 0dpo8CluUicR 0qnDu3JVEgKn "
    "16zKmuhb0KVA 197xRyO9cp9X 19J8y7Zprt2- 1INgJJhggztJ 1aQykEhEgVpU 1f6YBnYVnDX6 1nzCccEq1vlc 1yFr2saf_7r1 "
    "1z84z6FNQlH_ 1z_d1KdmSPbY 1zssbLxF0Aaw 22gzWTJ51zc1 257OajofhU5Y 2KJua4pOv8_6 2N35GbWV80SE 2OxtIV4r4UYP "
    "2bVIQ9_u0wVx 2co_W83JG2eI 2ldTpEaoyACd 2shnisG5SnQx 2wSFLfzq0IOh 37k9Q_wwsNwg 39fcQ5ZU8xPz 3A9t4Uxts9Nx "
    "3FJLlGzK5hYW 3GClt0teZJ5f 3LTxlu_kVKib 3M7jQN8LH0vj 3Y04r4yjt-XM 3fXHqao7Q6rb 42K-LbMqaGxC 45-7dOnLTWYO "
    "49ZLkcPKFKB9 4JHFgUcZ0HTW 4Lh4AblkY7tg 4PfrsyXH4tmD 4YihnobX9PrB 4abTF6dl2aMG 4cZR46EWVem6 4zzfnH9xILmO "
    "50F03qTDZ8-2 5BrbyxGncSK4 5P0ifKK3RH0H 5TM3ZSXSrI8y 5eLQzwK94D8m 6IBA59AFLutd 6MxhU59zh5zr 6Qc4grkh5eO8 "
    "6TPdc_-75mjI 6lrdV0N8vyCv 6r1SKRDM3Xeu 6ry3VG1LSU8j 7ATg-aslTnft 7I9_rSzUeEVu 7Mdr-pQ9Q-91 7cLt9Vb8kUWE "
    "7ljhVZzYMhhq 7xynSR3uhxvl 7yQP-KZjwN3q 8EPDUNcz5j_7 8OVAjf4YRV9z 8Pg2B6YRBmTH 8UCSTKVH-krp 8_Xg7cBlqLmv "
    "91d490Jb5NsD 93joIeyn448P 99g4cBuGxd-1 9E7542CDTE5J 9JALHxN7Rbkk 9LuDbW6Dxs6R 9jg46WB3rR_A 9k_Nxe7V_kDL "
    "ADOaXGE6VQYl AGz6ur_PVfUL ATKyPUjkWt6X AkJVs0q8-p9F AzCxGZjLyavV B76VfaWGkzYb BHj8s0GPnMEQ BIryQ4iRqJo1 "
    "BKeaqvhW87qK BQCkVmtoZl3T BWt_5HFBtuSO BogqtA8asJr4 C0oSYj3_LY5h C6IHoNsOTHG_ CNQFy0hsdvz7 COPn8saY-3-0 "
    "CVOF8Y0hf3ck CYVEML86f2Gt CdvbGsh-g2h4 Cn-xGiaqQSEO CqZhKiGaEcNb D1278prNFPTe D6KFfoEGpH07 D8R4-FeTJfzu "
    "D8cWIUd7ckd2 DJerPO98l4z4 DOvxvJiAdIqV DSoBfDZQnlNb DTVu3gukmYGR DdsFv-2-wgcP DjGIHGPud6zT E2yxxaebydlD "
    "E71_hzE5yJOG E926F47YKN9n E_fI43ekPB_I En-4tCCcFyIL EofM6Y8Oi0V4 ErwQaxPIuV5C ExH4_ICn6ijX FDd49mhRQZkY "
    "FFPOotw3mekC FK0ZMooTHiKq FVV5umTuau89 Fa5JHFzFB8yH FoG2TDCzf1uw FqjX9LxnnR3- FtIu-VbGrfe_ G1YfZPoMrSyR "
    "G7Ajw6_aE3Oh GG73bp1qcj7L GKafD_HKe6_O GL9DpqEo7toi GP5j6HsOUqg6 GQrsc4mjsLW2 GfItx0PlaJk2 H5IzoSEFfc7c "
    "H5fYLrAwphFs HBZJtxOUV4AU HHytMs4amuwr HKwR1Vouai30 HQAAL3_35YbB HZJsJBbDrxmT Ho9LPwd-d_A9 HsSFalww3yP- "
    "IR5sDn3XQhaO ITCW0HgMV4hQ IY2jAOtkXxHU I_MMuL9fCIpA IboBUxmUDupA IsUn6_e04MaS J69ScQvA-PeV JLs9cK7Lh3IR "
    "JLuFFx0420vy K5EIHyunH9UM KBCeB_HAiD7X KGL5_ersasf1 KNcBBHZ4M5WW KPEkzjAFH7q1 Kv4WptYw2UzQ L1CPVwuB-YdV "
    "LIstkoCvByn4 LVsmSd-vgvX5 Lex3Ni6t6I0V LuS_1mNwwEfu M1TPz2XHsuaE MG5cGnndDjB7 MKi_yC9l6ihZ MdX5H3pbrT4N "
    "MiJc0ZqWB_LG Mt9wPVeai6Ya NKre7IfRQEt5 NWoKOFXqM-Bs NzbLsXh8uDCc OEZq3h0BAtET ORCKbZ2HwNFs Oh8iLhelAyzY "
    "OyXmguppQdMT P18zXtec5KGm PKqMrFQtLxME PP7na4XbJHsy PYWi8Yawo76- PYqPCG0pk5P2 Pd2aX4JlhdHd PvdttOSJLmLm "
    "Q9cVsCsSG5Ve QBeWNRsYJ8Gd QCPzQuL5Rn9p QYuEwx0to_FK Qits_Xbc-I1d QmrUxKsvN77X QpJ51iMbwPVL QpY-aaF2nhQG "
    "QuaFsL63JCUH R0HPycZ4cYeE R5PR4r0KraYf R5qzp0EtyFAr RR2hGJge3rqi RUJjwU_Bn6AT Ra1LN8bi_Aos RjDzXprMhN5C "
    "RjIs28EgD6iX RjeWAlRpOggc Rl2a1dVSjr4o RmtS3YjB2N9Q RnA7HqqldzeR RrVxQjPTK9uT Rt-IyDEhXohv S3UNEi6gXpvV "
    "SFQcJvi0zWJU SGcKj04Pw6GB SHgBUo7LEzBE Si56UkZjdKhz StsG8pOMaYLg TLOWIUBG7ALE TQJpX_RDeKhV Tee-LSb6Hi5g "
    "U6wDz2M4DTgX U7uDof4US3Em UFay4CG9cg6S UW98VyEOwZcT UY2IonfeWMM0 UZ4-zhDKcLZi UzNqZ2xkwTll V6_BFmW-to3n "
    "VGqpHDgpZ2On VJaPV0WIz0Df VLB51VseKBRS VZGXRn9OzpzF Va7FiNR8tkWU VbT0yZnBh48H VnM21zlMu9LF Vw2tQ94a9Mkl "
    "VxJDL4SJt2ug Vy57XrArUrW0 W6wXovBEC5_t W9Y8jCiWjuxE WCzHnNUqVA8n WE7pAjnqxUnz WJaVCLmU8Hqh WNag53CWjVGA "
    "WVeMcVhjwMVa WaYTwoTjqwV_ WeLK-fCjVs0i Wld4VJKM7HF5 WsLjCPrazuml X1YV17zWD8QW X98pjpoMolTV XGApTj8rhUdU "
    "XTnah6x19_dz XatY958tWjYV XkEa02V7cNlf Xu-D_ny3Hi2g Y-FnakVXXFwD YEV1EIv9vYLG YJ-SrfzNyhnz YSNXfkl9mcJU "
    "YUDQ8EHl_Ktw YVe5DZPLFkhf YZ3am7RRZp5P Yb8sz5vwKOPl YlKlB7M2wnS0 YmH059CjMZXx Yo0gemSZePVR Z-KtesOcNJqp "
    "ZABmrCZxWFHR ZG_n6TNVRaM1 ZN-yR2vJ1E1W ZSPli8DuxCwx ZSx9xofZjJiJ Zfc1GuOogJL6 ZfzYMuDY7dbT ZoWbet5OaMtl "
    "ZpmGNG1TxMMc ZvwJoVCfoPIJ _8e2xId3KR3d _GK0r6GCoJt9 _K0fXS8wlsT7 _U3sdavC335P _c6OSmW3DRhr _eZSiHWK3mVt "
    "aIj09eiNtGmm aQJPIemtF1lN aZ7EsU_ekjj- atxSFFFlnRcN bKS0hozWeEdN bTzVvQ8Lwzfa brJauXL_T6J8 bxrkBXCsw5JV "
    "c-8qTt16f78H c-x0RYBZxwyu c4eIcVkO16pX c7VZRfqg3GSY c_MpU4_RUSvO cm72zgQFqhWS cn-I_WNMCleh crE2VQL1IEGY "
    "cva6ZusD9HuR cw0hqA5hqN6C d20hcBDrDS2L d54itnUuhe_l dHri3SADZkru dPj-J5E55Mg_ dQg3y-qtr3Kr dTiY1Lig0xdb "
    "dmWebDhaEkyn drNL86G1hBE9 e4Ig-BRaHzfp eAmuRoAt92It eRZX0sMg1M_P eZ30LG1NBPQh eaRF7sIi5wkS ekEvXgscta2W "
    "elHQZKGiFqaS f1qh4uTM4eQc f9BIcnkulpGz fE7MX0Yu3gSX fHnTUKdj2jSH fbhcuZN6Lfe3 ffb1mNjzhb1o fpnAXoHsTly9 "
    "fsSv1pknBp8U g1kZbUg2ZP31 g77Ld5_vSxeN gAE8mZJD6lz4 gUosfbETIV-0 gVsO7KkTTkRF gmQIcdgK1SXQ goEtrEdTCi3k "
    "grj5jkk0SWLZ gs7Z9teJ8271 h7JOeBAU6RPY hD1FOBDVG5Lu hEVNh29qJ_qv hNm7kPe1LN2D hYDdkHB9jFFY h_jutvC-jg3N "
    "hdvhXXXvkwjH hlf5ql6htvqn hm1UkK0PdFwb i-BmfO4a5nFL iE9xtJUVEnHS iM3bZr2if4CZ iTqXXI0zbAnJ iiDHHfFVNG6I "
    "ixsXqXQMBorM iy0-CiNkLYLo jIHXW3PjfEN8 jLIx9xVgRf6U jSbr718FycuI jY5hPhVEyvXg jw1dX4rThvlx jwUD4YZ3tkWX "
    "k5dfrY5f2CWA kDrgYrYMgCqs kJSG66bpmW2r kPrK_qmxVWaY kcnOvJe5ayTX kd7m8BPVtr0a keB2QPl5o1ok kh4iaI74cjZq "
    "l2tfkSzhekdO l4xDv0Vj7v2w l6W4RELnGfAx lNLyz_Zsme1w lPYcJRSBzk_5 lZI1vM7tnlYa lZrA96WheRYs lqluyLSnjkm5 "
    "ltUJ-5CBbly5 mC9OOgIW85I- mDQREKgFF-IA mT3CORlS5SuO mWHRih7d-QP4 mlVIyDKRi3yZ mmjoW18Fk-3G n-U86agR2CAD "
    "n1zgsa0cA03T nMgO6PVhQF2R nZD6W4AE51NF o57ALbzDqdz1 oBjLq-vV7Rzv oD0HwocPBSfp oGDmHqCJ7yzM oGS1AuYdJ-lL "
    "oKIywvGUpTVT oLUoKYwCCenc odpW7tg6330F oegBj8VCCs7w pFq2eASJZOiO pHM6VhAFVfCO pPh1GpsutoCq pbrm3K1Jw4z4 "
    "pktf0DnMVSFU pl4oOBOODREL poqkLGiymh_W pvLz8JWhOQPG q7f1_5HT8tJ2 qACfFiUw7K4F qTHHMnZt5uE- qUkbaHA_y4_g "
    "qW_58LeoeESe q_4IHZkuVox9 qe5Zz2-LvYu- qlU3m67q0UZ_ qwde5uZ9PHCo r2XIZisa9sEp r8pQmOSfQO0C rEwk7K1W8Or0 "
    "rFNV7AAxeXSS rLGIIW1awLl- rRZbETILyRUB refv1SuKr19f rmARjrnC-dnC rq6NyFRDJK7O rsgISEW0GmlS s7lnPDhJkjqc "
    "s7p4XJMB_afy s8g4iDeIniei sVI1LvRfB7no sVQEsHrap7Md s_b11PnO5Omf shP13jTaa3zm sjgT2n8Ga-JT smUM2cVGQV3p "
    "sxI__beGtEGU tWM9k10kVSpv tgECtOYRnv9G tu5_a3WQYKEf u5YUSjQ2-2ch u6XmupqjhwqW uG5zwmkbOsp4 uNiqp46RZ-GF "
    "uUkRXtk987sy urTDCcux1Tbq vKjZylO8kwK2 vRUJckU0tzoy vjF8vqsbdDdy vyzVr5tetRUT w-79UHP1PARd wHeZwY2LgO7Z "
    "wQg4GJpDLIOe wm_0FlXJsx9F wrtHnz5rfpXf x-l3fyzInf_O x2i7K5RkIIn1 xAJpVLDOK1h- xBCeRg7uRkny xDdcUqfYBOXq "
    "xEtrymKebYD9 xI74HbgHex-p xNs167HkC1L8 xZDfZpry4P9v xtIsOV1FqKH7 y9Q-60gHNtuv yBgY05NvZE5q yCmocgb19-_F "
    "yDr06r-77Fev yLmAbLN4D9nL yNBpufnBLwIr yNSOP7P35590 yOzJNhoF4oXw yVkeIBfOGFFC yWp-6Vq1cW3X yZdY2zOvcPvz "
    "ydQXMtvbsOsZ yhhBwl6zUGtk z0aTagFiVYrX zD6Ku27DiffK zFHVsM9dc4Ol zQstisLFDWZb zR0SQvI5ZIpu zXLn_6m13BON "
    "zfXrx_pt9CVv znMwdvH6kyfd "
)
"""The fingerprints of published keys, separated by blanks: the beginning, in base64url, of a longer value.

For an HMAC key that value is the SHA-256, for a public key the thumbprint (RFC 7638). The keys themselves stand in
tests/keys/published.json, and a test compares the two. This is one text and not a set, because building a set would
cost every cold start more than all the searches of a process.
"""

_BLANKS_AROUND: Final = b"\0\t\n\r "
_ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be")
_UNSEEN: Final = (
    *("\0\0", "\xad\xad", "\u034f\u034f", "\u061c\u061c", "\u115f\u1160", "\u17b4\u17b5", "\u180b\u180f"),
    *("\u200b\u200f", "\u202a\u202e", "\u2060\u206f", "\u2800\u2800", "\u3164\u3164", "\ufe00\ufe0f", "\ufeff\ufeff"),
    *("\uffa0\uffa0", "\ufff0\ufffb", "\U00013430\U0001343f", "\U00013441\U00013442", "\U00016fe4\U00016fe4"),
    *("\U0001bca0\U0001bca3", "\U0001d159\U0001d159", "\U0001d173\U0001d17a", "\U000e0000\U000e0fff"),
)
"""The first and last of each range of invisible characters, except blanks: formats, fillers, selectors, reserved ones.

This is a table, because `unicodedata` takes a millisecond to load and every key of random octets would need it.
"""


def is_published(material: "bytes | PublicKey") -> bool:
    """Tell whether a key is printed in an RFC or on a well-known page. It is HMAC octets or a public key object.

    Blanks and NULs around HMAC octets are ignored: they come from copying, and do not make the key secret.
    """
    return fingerprint(material) in FINGERPRINTS


def fingerprint(material: "bytes | PublicKey") -> str:
    """Return the text by which `FINGERPRINTS` lists a key."""
    if isinstance(material, bytes):
        digest = sha256(material.strip(_BLANKS_AROUND)).digest()
        return urlsafe_b64encode(digest)[:_FINGERPRINT_CHARACTERS].decode("ascii")
    from auth_jwt.jose.asymmetric import thumbprint

    return thumbprint(material)[:_FINGERPRINT_CHARACTERS]


def is_blank(material: bytes) -> bool:
    """Tell whether two or more HMAC octets are text that shows nothing: blanks, NULs, zero-width characters."""
    if len(material) < 2:
        return False
    if material.isascii():
        return not material.decode("ascii").replace("\0", "").strip()
    return any(_is_blank_in(encoding, material) for encoding in _ENCODINGS)


def _is_blank_in(encoding: str, material: bytes) -> bool:
    try:
        return all(map(_is_unseen, material.decode(encoding)))
    except UnicodeDecodeError:
        return False


def _is_unseen(character: str) -> bool:
    return character.isspace() or any(first <= character <= last for first, last in _UNSEEN)
