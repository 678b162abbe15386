"""Attribution to pixels through captum, one folder a method."""
