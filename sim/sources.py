"""Constants that were not confirmed by any source we could read; results that rest on one carry its sentence."""

from __future__ import annotations

HCM2000_BACK_OF_QUEUE = "HCM 2000 appendix G: back of queue, its second term, k_B and progression factor"
KHCM_TVO_ENDS = "KHCM 2013 table 8-17: rows of offset quality 0 and 1 should be equal but were transcribed differently"
KHCM_SHARED_RIGHT = "KHCM 2013 formula 8-12: shared right turn with crossing pedestrians, transcribed second-hand"
KHCM_PERMITTED_LEFT = (
    "KHCM 2013 tables 8-7 and 8-8: equivalents of unprotected lefts, transcribed second-hand with faults"
)
KHCM_U_TURN_END = "KHCM 2013 table 8-11: U-turns above 30 % in two lanes lie beyond the transcribed table"
TURN_ON_RED = "turns on red as gap acceptance with the headways of permitted lefts"
RIGHT_GAPS = "permitted turns other than lefts with the headways of permitted lefts"
