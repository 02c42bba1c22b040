#: f_(text, small) -> text; c_ = '_'|'/'|':'
def f_(text_, place_):
    """Return text_ with c_ put in before the letter at place_.
    If place_ is not inside text_, put c_ in front."""
    if place_ < 1 or place_ >= len(text_):
        return c_ + text_
    return text_[:place_] + c_ + text_[place_:]


#: f_(line) -> words; k_ = 2..3
def f_(line_):
    """Return the words of line_ with at least k_ letters, in capitals.
    The first word is kept as it is."""
    kept_ = []
    for place_, word_ in enumerate(line_.split()):
        if place_ == 0:
            kept_.append(word_)
        elif len(word_) >= k_:
            kept_.append(word_.upper())
    return kept_


#: f_(text) -> int; k_ = 2..4
def f_(text_):
    """Return how many letters of text_ differ from the letter after them.
    A text_ of fewer than k_ letters gives 0."""
    if len(text_) < k_:
        return 0
    count_ = 0
    for place_ in range(len(text_) - 1):
        if text_[place_] != text_[place_ + 1]:
            count_ += 1
    return count_


#: f_(text, letter) -> text
def f_(text_, letter_):
    """Return what stands in text_ after the first letter_.
    Without letter_, return the last two letters of text_."""
    place_ = text_.find(letter_)
    if place_ < 0:
        return text_[-2:]
    return text_[place_ + 1:]
