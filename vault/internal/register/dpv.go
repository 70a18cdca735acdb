package register

import (
	"slices"
	"strings"
)

// The namespaces of the W3C Data Privacy Vocabulary (DPV) and their prefixes.
const (
	dpvNamespace = "https://w3id.org/dpv#"
	pdNamespace  = "https://w3id.org/dpv/pd#"
)

// compact shortens an IRI of the vocabulary: pd:EmailAddress.
func compact(iri string) string {
	if term, ok := strings.CutPrefix(iri, pdNamespace); ok {
		return "pd:" + term
	}
	if term, ok := strings.CutPrefix(iri, dpvNamespace); ok {
		return "dpv:" + term
	}
	return iri
}

// checkCategory warns of categories that say nothing to others, and of a
// special one that is not treated as such.
func (p *parser) checkCategory(at string, f *Field) {
	term := compact(string(f.Category))
	switch {
	case f.Category == "":
		if !p.has(at + ".category") {
			p.warn(at, "has no category; the record of processing names the categories of data (such as pd:EmailAddress)")
		}
	case slices.Contains(specialCategories(), term):
		if !f.Special {
			p.warn(at+".category", "%s is a special category (GDPR Art. 9), but the field does not say special: true", term)
		}
	case !slices.Contains(categories(), term):
		p.warn(at+".category", "%s is not among the DPV 2.1 categories known here%s", quoted(string(f.Category)), didYouMean(term, slices.Concat(categories(), specialCategories())))
	}
}

// checkDPV warns of purposes that say nothing to others.
func (p *parser) checkDPV(at string, purpose *Purpose) {
	switch {
	case purpose.DPV == "":
		if !p.has(at + ".dpv") {
			p.warn(at, "has no dpv; others understand a purpose by its term (such as dpv:DeliveryOfGoods)")
		}
	case !slices.Contains(purposeTerms(), compact(purpose.DPV)):
		p.warn(at+".dpv", "%s is not among the DPV 2.1 purposes known here%s", quoted(purpose.DPV), didYouMean(compact(purpose.DPV), purposeTerms()))
	}
}

// terms puts a prefix before each of some names.
func terms(prefix, names string) []string {
	all := strings.Fields(names)
	for i := range all {
		all[i] = prefix + all[i]
	}
	return all
}

// categories, specialCategories and purposeTerms are the terms of DPV 2.1 that profiles of customers, members, patients and staff
// use. They are our own choice: another term is a warning, never a refusal.
func categories() []string {
	return slices.Concat(terms("pd:", `
		Age AgeExact AgeRange AccountIdentifier Association Authenticating
		BankAccount Behavioral BirthCountry BirthDate BirthPlace BrowsingBehavior
		BrowserFingerprint CarOwned Character Citizenship City Communication
		CommunicationsMetadata Contact Country Credit CreditRecord CreditScore
		CurrentEmployment Demographic DeviceBased Dislike Domicile Education
		EducationQualification EmailAddress EmailAddressPersonal EmailAddressWork
		EmploymentHistory Family FamilyStructure Favorite FavoriteColor
		FavoriteFood FavoriteMusic Financial FinancialAccount
		FinancialAccountNumber Friend GPSCoordinate Gender Geographic
		GroupMembership HairColor Height HouseNumber Household IPAddress
		Identifier Identifying Income IncomeBracket Insurance Intention
		Interaction Interest Job Language LifeHistory Like Location MACAddress
		MaritalStatus Marriage Name Nationality OfficialID Offspring Opinion
		Ownership Parent Passport Password PaymentCard PaymentCardExpiry
		PaymentCardNumber Personality PhysicalAddress PhysicalCharacteristic
		Picture PostalCode Preference PrivacyPreference Professional
		ProfessionalCertification Profile Purchase PurchasesAndSpendingHabit
		Reference Region Relationship Residency RoomNumber Salary School
		ServiceConsumptionBehavior Sibling Social SocialMedia SocialNetwork
		SocialStatus Street Tax TelephoneNumber Tracking Transaction
		Transactional TravelHistory UID UserAgent Username
		VehicalLicenseNumber Vehicle VoiceCommunicationRecording VoiceMail Weight
		WorkEnvironment WorkHistory`), terms("dpv:", `
		CollectedPersonalData DerivedPersonalData GeneratedPersonalData
		IdentifyingPersonalData InferredPersonalData ObservedPersonalData
		PersonalData ProvidedPersonalData PseudonymisedData
		SensitivePersonalData VerifiedData`))
}

func specialCategories() []string {
	return slices.Concat(terms("pd:", `
		Biometric BloodType DNACode Disability DrugTestResult EthnicOrigin
		FacialExpression FacialPrint FamilyHealthHistory Fetish Fingerprint
		Genetic Health HealthHistory HealthRecord IndividualHealthHistory
		MedicalHealth MentalHealth PhilosophicalBelief PhysicalHealth
		PoliticalAffiliation PoliticalOpinion Prescription Proclivity Race
		Religion ReligiousBelief Retina Sexual SexualHistory SexualPreference
		TradeUnionMembership`), terms("dpv:", "SpecialCategoryPersonalData"))
}

func purposeTerms() []string {
	return terms("dpv:", `
		AcademicResearch AccountManagement Advertising AgeVerification
		CommercialResearch CommunicationForCustomerCare CommunicationManagement
		CounterMoneyLaundering CustomerCare CustomerClaimsManagement
		CustomerManagement CustomerOrderManagement
		CustomerRelationshipManagement CustomerSolvencyMonitoring
		DeliveryOfGoods DirectMarketing DisputeManagement EnforceAccessControl
		EnforceSecurity EstablishContractualAgreement
		FraudPreventionAndDetection FulfilmentOfContractualObligation
		FulfilmentOfObligation HumanResourceManagement IdentityAuthentication
		IdentityVerification ImproveExistingProductsAndServices
		ImproveHealthcare ImproveInternalCRMProcesses ImprovePublicServices
		IncreaseServiceRobustness InternalResourceOptimisation LegalCompliance
		MaintainFraudDatabase Marketing MemberPartnerManagement
		MisusePreventionAndDetection NonCommercialResearch
		OptimisationForConsumer OptimisationForController
		OptimiseUserInterface OrganisationComplianceManagement
		OrganisationGovernance OrganisationRiskManagement PaymentManagement
		Personalisation PersonalisedAdvertising PersonalisedBenefits
		PersonnelHiring PersonnelManagement PersonnelPayment PoliticalCampaign
		ProvideEventRecommendations ProvideOfficialStatistics
		ProvidePersonalisedRecommendations ProvideProductRecommendations
		PublicBenefit PublicRelations RecordManagement RecruitmentManagement
		RepairImpairments RequestedServiceProvision ResearchAndDevelopment
		RightsFulfillment ScientificResearch SearchFunctionalities
		SellDataToThirdParties SellInsightsFromData SellProducts
		SellProductsToDataSubject ServiceOptimisation ServicePersonalisation
		ServiceProvision ServiceRegistration ServiceUsageAnalytics
		SocialMediaMarketing TargetedAdvertising TechnicalServiceProvision
		UserInterfacePersonalisation VendorManagement Verification`)
}

// DirectMarketing reports whether a purpose is direct marketing, to which an
// objection is absolute (Art. 21(3)): by its DPV IRI, or one below it.
func (p *Purpose) DirectMarketing() bool {
	return slices.Contains(directMarketing, compact(p.DPV))
}

// directMarketing are dpv:DirectMarketing and what DPV has below it or means the
// same to a person: advertising that is aimed at them.
var directMarketing = []string{"dpv:DirectMarketing", "dpv:PersonalisedAdvertising", "dpv:TargetedAdvertising", "dpv:Marketing"}
