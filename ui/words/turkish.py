from ui.words.english import Words


class Turkish(Words):
    TAG = "tr"
    NAME = "Türkçe"
